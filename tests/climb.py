"""A search of the tests that learns: each configuration is proposed after the last one has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.searches import NoProposal, Observation, Proposal, SearchSettings
from greenexp.searches.base import Mode, Space, places_in

PATH = "training.learning_rate"


@dataclass(frozen=True)
class Climb(SearchSettings):
    """Goes on in the direction in which the score got better, else turns round with half the step.

    proposals: number of configurations; known: whether that number is told beforehand
    """

    planned: ClassVar[bool] = False

    proposals: Annotated[int, Field(ge=1)] = 5
    known: bool = True

    def start(self, space: Space, mode: Mode) -> Climber:
        """See `SearchSettings.start`."""
        return Climber(self.proposals, space, 1.0 if mode == "max" else -1.0)

    def size(self, space: Space) -> int | None:
        """See `SearchSettings.size`."""
        return self.proposals if self.known else None


@dataclass
class Climber:
    """The running search; `factor` is the next step, on the scale of the logarithm."""

    proposals: int
    space: Space
    sign: float
    factor: float = 2.0
    told: list[Observation] = field(default_factory=list)

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        if len(history) >= self.proposals:
            return NoProposal.DONE
        if len(self.told) < len(history):
            return NoProposal.WAIT
        value = 2e-3
        if self.told:
            last = self.told[-1]
            value = float(last.values[PATH]) * self.factor  # type: ignore[arg-type]
        return Proposal({PATH: min(max(value, 1e-4), 1e-1)}, places_in(self.space))

    def tell(self, observation: Observation) -> None:
        """See `RunningSearch.tell`."""
        before = [seen.score for seen in self.told if seen.score is not None]
        if observation.score is None or (
            before and self.sign * observation.score <= max(self.sign * s for s in before)
        ):
            self.factor = self.factor**-0.5
        self.told.append(observation)
