"""The configurations that are listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Coordinate
from greenexp.records.values import Value
from greenexp.searches.base import Mode, NoProposal, Observation, Proposal, SearchSettings, Space


@dataclass(frozen=True)
class Points(SearchSettings):
    """The configurations that are listed, and no others.

    points: one mapping of dotted path to value per configuration
    """

    points: Annotated[tuple[dict[str, Coordinate], ...], Field(min_length=1)]

    def start(self, space: Space, mode: Mode) -> ListedPoints:
        """See `SearchSettings.start`."""
        return ListedPoints(self.points)

    def size(self, space: Space) -> int:
        """See `SearchSettings.size`."""
        return len(self.points)

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """See `SearchSettings.problems`."""
        if space:
            message = "is not used by search 'points', which lists the values itself: remove one of the two"
            yield FieldProblem("space", message)

    def listed(self) -> Mapping[str, Mapping[str, Value]]:
        """See `SearchSettings.listed`."""
        return {f"search.points.{number}": values for number, values in enumerate(self.points)}


@dataclass(frozen=True)
class ListedPoints:
    """The running search."""

    points: Sequence[Mapping[str, Value]]

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        number = len(history)
        if number >= len(self.points):
            return NoProposal.DONE
        values, place = self.points[number], f"search.points.{number}"
        return Proposal(values, {path: f"{place}.{path}" for path in values}, place)

    def tell(self, observation: Observation) -> None:
        """A list learns nothing."""
