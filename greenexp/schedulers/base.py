"""What a scheduler is: settings, a running unit scheduler, and the running scheduler over trials built from it.

A scheduler is written against *units*, which it compares; `seed_groups` makes one unit of all trials of a
configuration (or of each trial), holds seeds back whose turn has not come, and turns verdicts on units into verdicts on
trials.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import AfterValidator, Field, PlainSerializer

from greenexp.errors import InputError
from greenexp.records.decision import Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.records.progress import Epochs
from greenexp.schedulers.brackets import Bracket, ExpectedEpochs

Mode = Literal["max", "min"]


def _whole(value: float) -> Epochs:
    """2.0 is 2: it is written and recorded as it always was."""
    return int(value) if float(value).is_integer() else value


GracePeriod = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    AfterValidator(_whole),
    PlainSerializer(lambda value: value, return_type=int | float),
]
"""The type of a setting that counts epochs, also parts of one."""


@dataclass(frozen=True, slots=True)
class NextRung:
    """Where a unit is judged next: after `epoch` epochs, in bracket number `bracket`."""

    epoch: Epochs
    bracket: int


@dataclass(frozen=True, slots=True)
class UnitVerdict:
    """What a rung says about one unit; `value` and `cutoff` are signed so that greater is better.

    `value` is None for a unit without a defined value (a seed failed), `cutoff` where nothing was compared.
    front, place: among those that came to the rung, from 1, where several objectives were compared
    """

    unit: str
    go_on: bool
    rung: Epochs
    bracket: int
    value: float | None
    cutoff: float | None
    reason: str
    front: int | None = None
    place: int | None = None


class UnitScheduler(Protocol):
    """A running scheduler over units; deterministic in the order of its calls. Greater values are better."""

    @property
    def pauses(self) -> bool:
        """Whether a unit at a rung may have to wait for other units."""

    def enter(self, unit: str) -> None:
        """A unit that was not there at the start. Raises InputError where the scheduler cannot place it."""

    def next_rung(self, unit: str) -> NextRung | None:
        """Where `unit` is judged next (or waits for it now); None once no rung lies ahead, or it was stopped."""

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """The verdicts that fall because `unit` reached its next rung with the finite `value`; () while it waits.

        None says that the unit has no value and never will, for `reason`, whether it reached the rung or not: it is
        judged worse than any number and stopped in the verdicts returned. It may replace a value that waits.
        """

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """What is going to happen to the units placed so far, if none of them fails."""


@runtime_checkable
class ClosingScheduler(Protocol):
    """A unit scheduler that is told when no further unit will enter; one under which nobody waits need not be."""

    def close(self) -> tuple[UnitVerdict, ...]:
        """The verdicts that fall because no unit will `enter` any more; () if that was known."""


@runtime_checkable
class RanksObjectives(Protocol):
    """A unit scheduler that compares several objectives; its settings say so by `several_objectives`."""

    def arrive_with(self, unit: str, value: float, costs: Sequence[float]) -> tuple[UnitVerdict, ...]:
        """As `UnitScheduler.arrive` with a value; costs: the further objectives, of which less is better, finite."""


class SchedulerSettings(Protocol):
    """A scheduler as a sweep file names it: a frozen dataclass whose fields are its settings, its docstring a card."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    title: ClassVar[str]
    """What the report calls it."""
    stops: ClassVar[bool]
    """Whether it can stop a trial before its last epoch."""
    equal_epochs: ClassVar[bool]
    """Whether it compares trials at equal numbers of epochs, so that all trials must be planned for as many."""
    needs_seeds: ClassVar[bool]
    """Whether its rungs count whole seeds instead of epochs; then `max_epochs` of `start` is the number of seeds.

    Every configuration must have the same number of them, at least 2.
    """
    needs_size: ClassVar[bool]
    """Whether it must know at the start how many units there will be, as one whose rungs wait for all of them."""

    # A class whose running scheduler compares several objectives (`RanksObjectives`), and is refused in a sweep with
    # one, also has `several_objectives: ClassVar[bool] = True`.
    # Optional: `compares_reports`, True if it looks at a unit's values at several reports, so that all reports must be
    # on the same examples of dev.

    @property
    def per_trial(self) -> bool:
        """Whether every trial is a unit of its own, instead of every configuration."""

    def start(self, units: Sequence[str], *, max_epochs: int, later: float = 0) -> UnitScheduler:
        """The running scheduler over `units`, in plan order. Raises InputError if it could never stop anything.

        later: how many units may `enter` it afterwards; infinite, if that is not known, only where it `needs_size` not
        A scheduler whose rungs may lie within an epoch also takes `reports_per_epoch: int = 1`, how often a trial
        reports in an epoch; one that does not has rungs at whole epochs.
        """


class Scheduler(Protocol):
    """The running scheduler over trials that tuning and `simulate` ask; pure, and deterministic in its calls."""

    @property
    def selects_before_ends(self) -> bool:
        """Whether the configurations that have ended are a selection while the sweep runs, or differ in their seeds.

        So it is where configurations wait at rungs for others, and where those that are stopped have fewer seeds.
        """

    @property
    def needs_pausing(self) -> bool:
        """Whether trials are paused, that is, whether trials must be able to save and load checkpoints."""

    @property
    def expected_epochs(self) -> ExpectedEpochs:
        """Training epochs of all trials together."""

    def may_begin(self, trial: str) -> bool:
        """Whether the turn of `trial` has come; one whose turn has not come must not be started."""

    @property
    def compares_objectives(self) -> bool:
        """Whether it compares several objectives, so that the costs among them must be told with the score."""

    def decide(
        self,
        trial: str,
        resource: Epochs,
        value: float,
        costs: Mapping[str, float | None] | None = None,
        objectives: ObjectiveCosts = NO_COSTS,
    ) -> Decision:
        """The verdict on `trial`, which has trained `resource` epochs and scores `value`; ask after every report.

        costs: budget axis -> what was used since the report before, needed where rungs do not count epochs. Only the
        first report after a number of epochs counts: what an attempt after a crash repeats is not asked again.
        objectives: those besides the score, as at this report, where the scheduler `compares_objectives`
        A report repeated with the same value (an attempt after a crash) gets the verdict that was already taken.
        Raises ReplayError for another value at a rung, an unknown trial, a trial that ran past its rung, or one whose
        turn has not come.
        """

    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        """`trial` failed for good; the verdicts on other trials that this releases or stops."""

    def finish(
        self, trial: str, resource: Epochs, value: float, objectives: ObjectiveCosts = NO_COSTS
    ) -> tuple[Verdict, ...]:
        """`trial` ended by itself after `resource` epochs with `value`; the verdicts on others that this brings.

        Called for every trial that reached its end. Where that was before its last epoch, `value` stands for it at the
        rungs it has not come to: nobody waits for it there, and no verdict falls on it any more. Saying it again
        changes nothing.
        """

    def enter(self, configuration: str, trials: Sequence[str]) -> None:
        """A configuration that was not there at the start. Raises InputError where it cannot be placed."""

    def close(self) -> tuple[Verdict, ...]:
        """No further configuration will enter, as the search is done; the verdicts on paused trials that this brings.

        Not called where all configurations were there at the start. A search that is given more samples afterwards may
        still `enter` some, where the scheduler can place them.
        """

    def state(self) -> dict[str, Any]:
        """Everything that was decided, JSON-serialisable."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()` of a scheduler with the same settings. Raises ReplayError if it belongs to another."""

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """Brackets and rungs as plain data, counted in units, if nothing fails."""


@runtime_checkable
class GrowsSeeds(Protocol):
    """Settings under which a configuration may begin with some of its seeds and get more as it climbs."""

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """How many seeds count at each rung, the last number from then to the end; None: all from the start."""


def compares_objectives(kind: type[SchedulerSettings] | SchedulerSettings) -> bool:
    """Whether a scheduler compares several objectives; those of third parties may not say."""
    return bool(getattr(kind, "several_objectives", False))


def cannot_act(name: str, why: str, change: str) -> InputError:
    """The error for a scheduler that could never stop anything, with the way out."""
    return InputError(
        f"scheduler {name} can stop no trial: {why}; {change}, or choose a scheduler that stops no trial on purpose"
    )
