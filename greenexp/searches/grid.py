"""Every combination of values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice, Distribution, Int, LogUniform, Uniform, between
from greenexp.records.values import Value
from greenexp.searches.base import (
    Mode,
    NoProposal,
    Observation,
    Proposal,
    SearchSettings,
    Space,
    places_in,
)


@dataclass(frozen=True)
class Grid(SearchSettings):
    """Every combination of the values of `space`, the last field varying fastest.

    A range takes `steps` values, equally spaced on its own scale, both ends included.
    """

    even: ClassVar[bool] = True

    def start(self, space: Space, mode: Mode) -> GridPoints:
        """See `SearchSettings.start`."""
        return GridPoints(space)

    def size(self, space: Space) -> int:
        """See `SearchSettings.size`."""
        return math.prod(number_of_values(distribution) for distribution in space.values())

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if not space:
            yield FieldProblem("search", "a grid needs a 'space'")
        for path, distribution in space.items():
            if isinstance(distribution, Uniform | LogUniform) and distribution.steps is None:
                yield FieldProblem(f"space.{path}", "a grid over a range needs 'steps', the number of values")


@dataclass(frozen=True)
class GridPoints:
    """The running search. Combinations are counted, not listed: a grid may be large."""

    space: Space
    _values: dict[str, tuple[Value, ...]] = field(default_factory=dict)

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        if not self._values:
            self._values.update({path: grid_values(distribution) for path, distribution in self.space.items()})
        left = len(history)
        chosen: dict[str, Value] = {}
        for path in reversed(self._values):
            left, place = divmod(left, len(self._values[path]))
            chosen[path] = self._values[path][place]
        if left:
            return NoProposal.DONE
        return Proposal({path: chosen[path] for path in self._values}, places_in(self.space))

    def tell(self, observation: Observation) -> None:
        """A grid learns nothing."""


def number_of_values(distribution: Distribution) -> int:
    """How many values a grid takes of it; 1 where `steps` is missing, which is a problem of its own."""
    if isinstance(distribution, Choice):
        return len(distribution.ends())
    if isinstance(distribution, Int):
        return distribution.count()
    return distribution.steps or 1


def grid_values(distribution: Distribution) -> tuple[Value, ...]:
    """The values a grid takes, in order; the ends exactly."""
    if isinstance(distribution, Choice):
        return tuple(distribution.ends().values())
    if isinstance(distribution, Int):
        return tuple(range(distribution.low, distribution.high + 1, distribution.step))
    steps = distribution.steps or 1
    inner = (between(distribution, i / (steps - 1)) for i in range(1, steps - 1))
    return (distribution.low, *inner, distribution.high)
