"""Every combination of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from greenexp.records.conditional_space import holds, parents_first
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice, Distribution, Int, LogUniform, Uniform, between
from greenexp.records.values import Value, canonical_json
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

    A range takes `steps` values, equally spaced on its own scale, both ends included. A field with `when` varies in the
    combinations that have it.
    """

    even: ClassVar[bool] = True
    conditional: ClassVar[bool] = True

    def start(self, space: Space, mode: Mode) -> GridPoints:
        """See `SearchSettings.start`."""
        return GridPoints(space)

    def size(self, space: Space) -> int:
        """See `SearchSettings.size`."""
        return Combinations(space).count

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if not space:
            yield FieldProblem("search", "a grid needs a 'space'")
        for path, distribution in space.items():
            if isinstance(distribution, Uniform | LogUniform) and distribution.steps is None:
                yield FieldProblem(f"space.{path}", "a grid over a range needs 'steps', the number of values")


@dataclass(frozen=True)
class GridPoints:
    """The running search."""

    space: Space

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        if len(history) >= self._combinations.count:
            return NoProposal.DONE
        values = self._combinations.at(len(history))
        return Proposal(values, places_in(values))

    def tell(self, observation: Observation) -> None:
        """A grid learns nothing."""

    @cached_property
    def _combinations(self) -> Combinations:
        return Combinations(self.space)


@dataclass(frozen=True)
class Combinations:
    """The combinations of a grid by their number. They are counted, not listed: a grid may be large.

    A combination is built field by field, each after those that it depends on. The number of ways to go on depends on
    the values of the fields that later conditions name, and on nothing else.
    """

    space: Space
    _counts: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many combinations there are."""
        return self._ways(0, {})

    def at(self, number: int) -> dict[str, Value]:
        """Combination `number` (from 0): field -> value, in the order of the space."""
        left, values = number, dict[str, Value]()
        for step, path in enumerate(self._order):
            if not holds(self.space[path], values):
                continue
            listed = self._values[path]
            if path not in self._named[step + 1]:
                place, left = divmod(left, self._ways(step + 1, values))
                values[path] = listed[place]
                continue
            for value in listed:
                values[path] = value
                ways = self._ways(step + 1, values)
                if left < ways:
                    break
                left -= ways
        return {path: values[path] for path in self.space if path in values}

    def _ways(self, step: int, values: Mapping[str, Value]) -> int:
        """The ways to choose the fields from `step` on. `values`: of earlier fields."""
        known = {path: value for path, value in values.items() if path in self._named[step]}
        key = (step, canonical_json(known))
        if key not in self._counts:
            self._counts[key] = self._counted(step, known)
        return self._counts[key]

    def _counted(self, step: int, values: Mapping[str, Value]) -> int:
        ways = 1
        for later, path in enumerate(self._order[step:], step + 1):
            if not holds(self.space[path], values):
                continue
            if path in self._named[later]:
                branches = grid_values(self.space[path])
                return ways * sum(self._ways(later, {**values, path: value}) for value in branches)
            ways *= number_of_values(self.space[path])
        return ways

    @cached_property
    def _order(self) -> tuple[str, ...]:
        return parents_first(self.space)

    @cached_property
    def _values(self) -> dict[str, tuple[Value, ...]]:
        return {path: grid_values(distribution) for path, distribution in self.space.items()}

    @cached_property
    def _named(self) -> list[frozenset[str]]:
        """The fields that the conditions of the fields from each step on name."""
        named = [frozenset(self.space[path].when) for path in self._order]
        return [frozenset[str]().union(*named[step:]) for step in range(len(named) + 1)]


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
