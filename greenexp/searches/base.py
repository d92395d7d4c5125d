"""What a search is: settings as a sweep file names them, and the running search that proposes configurations.

A running search is asked with what is known of its earlier proposals, and answers with the values of one more
configuration. Everything it is told stands in the journal, so that the same questions get the same answers again.
"""

from __future__ import annotations

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar, Literal, Protocol

from greenexp.records import conditional_space
from greenexp.records.objectives import SCORE
from greenexp.records.places import FieldProblem
from greenexp.records.progress import Epochs
from greenexp.records.values import Value

Mode = Literal["max", "min"]
Space = conditional_space.Space
"""Dotted path of a field -> its distribution."""


class ProposalState(StrEnum):
    """How far a proposed configuration has come."""

    RUNNING = "running"
    """Some of its seeds have not ended; they may not have begun."""
    COMPLETE = "complete"
    """All its seeds trained to their end."""
    STOPPED = "stopped"
    """All its seeds have ended, and some were stopped early or never begun: no score after full training."""
    FAILED = "failed"
    """All its seeds have ended, and some failed."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of one configuration that the search proposed.

    number: which proposal it was, from 0; values: searched path -> value
    score: mean of the best dev value so far over its seeds, without those that were given up before they began; None
        while a seed has no value, and where one failed
    seeds: how many seeds have a value: a scheduler may have given up the others (see `schedulers.seed_groups`)
    ended: its place among the configurations in the order in which they ended, from 0; None while it is running
    epochs: how many all its seeds have trained, at least; where trials report within epochs, how many reports
    scores_at: epoch of a rung that all its seeds have come to -> mean over them of the best dev value until then; a
        seed that ended by itself before it keeps its score. Empty where a seed failed, and without rungs
    objectives: of a sweep with several, objective -> mean over its seeds; None where it is not known of one, or failed
    memory: what the search noted when it proposed it
    used: where searches have budgets of their own, axis -> what its trials have taken of it so far; None if unknown
    """

    number: int
    values: Mapping[str, Value]
    progress: ProposalState = ProposalState.RUNNING
    score: float | None = None
    ended: int | None = None
    epochs: int = 0
    scores_at: Mapping[Epochs, float] = field(default_factory=dict)
    seeds: int = 0
    objectives: Mapping[str, float | None] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    used: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The values of one more configuration.

    values: searched path -> value; places: searched path -> the dotted path in the sweep file that its value is from
    place: the dotted path of the proposal as a whole
    memory: what the search must be told of this proposal later besides its values, as JSON; it goes to the journal
    """

    values: Mapping[str, Value]
    places: Mapping[str, str]
    place: str = "space"
    memory: Mapping[str, Any] = field(default_factory=dict)


class NoProposal(Enum):
    """Why there is no proposal."""

    WAIT = "wait"
    """More must be known of earlier proposals first."""
    DONE = "done"
    """The search proposes no further configuration."""


class RunningSearch(Protocol):
    """A running search. Deterministic in the order of its calls: no clock, and randomness from its seed alone."""

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """One more configuration, or why there is none. `history`: all earlier proposals, in their order.

        An answer without a proposal changes nothing: how often it was given is not on record.
        """

    def tell(self, observation: Observation) -> None:
        """A configuration has ended; told once for each, in the order in which they ended, before the next `ask`."""


class SearchSettings:
    """A search as a sweep file names it: a frozen dataclass whose fields are its settings, its docstring a card.

    planned: whether every proposal is known before anything has run, so that the whole sweep can be planned and priced
    independent: whether its configurations are independent draws from one distribution, as the expected best over
        trials presumes; then one that repeats another by chance is trained twice
    even: whether it covers the space evenly, wherever the good scores are
    conditional: whether it takes spaces with conditions, and proposes the fields alone whose conditions hold
    several: whether it can learn from several objectives and from earlier sweeps, so that it has a `start_with`; one
        that is planned learns from none
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    planned: ClassVar[bool] = True
    independent: ClassVar[bool] = False
    even: ClassVar[bool] = False
    conditional: ClassVar[bool] = False
    several: ClassVar[bool] = False

    @abstractmethod
    def start(self, space: Space, mode: Mode) -> RunningSearch:
        """The running search over `space`; `mode`: which scores are better."""

    def start_with(
        self,
        space: Space,
        directions: Mapping[str, Mode],
        earlier: Sequence[Observation],  # for those that learn
    ) -> RunningSearch:
        """The running search with several objectives, or after what earlier sweeps found.

        directions: objective -> which of its values are better
        earlier: configurations of other sweeps, all of which have ended; they are no proposals of this search
        """
        return self.start(space, directions[SCORE])

    def begin(self, space: Space, directions: Mapping[str, Mode], earlier: Sequence[Observation] = ()) -> RunningSearch:
        """The running search over `space`: `start` where the score is the only objective and nothing was before."""
        if len(directions) == 1 and not earlier:
            return self.start(space, directions[SCORE])
        return self.start_with(space, directions, earlier)

    @abstractmethod
    def size(self, space: Space) -> int | None:
        """The number of configurations it proposes in all; None if that is not known before it ends."""

    def problems(self, space: Space) -> Iterator[FieldProblem]:
        """Everything that keeps this search from running over `space`."""
        yield from ()

    @property
    def drawn(self) -> float:
        """How many of its first proposals are independent draws, infinity for all; some begin so before they learn."""
        return math.inf if self.independent else 0

    def condition_problems(self, space: Space) -> Iterator[FieldProblem]:
        """Every condition of a field that it cannot meet."""
        for path, distribution in space.items():
            if distribution.when and not self.conditional:
                message = "this search needs the same fields in every configuration; 'random' and 'tpe' take conditions"
                yield FieldProblem(f"space.{path}.when", message, of_key=True)

    def listed(self) -> Mapping[str, Mapping[str, Value]]:
        """The configurations that the settings themselves list: where one stands in the sweep file -> its values.

        Most searches list none.
        """
        return {}


def places_in(values: Iterable[str]) -> dict[str, str]:
    """Searched path of a proposal -> where its distribution stands in the sweep file."""
    return {path: f"space.{path}" for path in values}
