"""What each kind of event holds: one typed definition per kind, by which lines are checked when they are read.

A record's own type says what the record holds. A field that an earlier version did not write is `NotRequired`. To
record something new, define it here, name it in `KINDS`, and handle it in `state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from greenexp.journal.shapes import Shape
from greenexp.records.axes import AXES
from greenexp.records.decision import Verdict
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.energy import EnergyMeasurement, MeteredDevice
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.origins import OriginFact
from greenexp.records.priced import PriceFact
from greenexp.records.progress import Epochs
from greenexp.records.shared_failure import SharedFailure
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.trial import TrialSpec
from greenexp.records.values import Value
from greenexp.records.worth import WORTH

Count = Annotated[int, Field(ge=0)]
Axis = Literal[(*AXES, WORTH)]  # type: ignore[valid-type]  # the axes are a table


class SweepEvent(TypedDict):
    """First line: journal format, sweep name, resolved sweep file, its fingerprint; whether its plan is open."""

    format: int
    name: str
    fingerprint: str
    spec: SweepSpec
    open: NotRequired[bool]


class EarlierEvent(TypedDict):
    """Configurations of other sweeps that the search is told of before it proposes anything."""

    configurations: list[EarlierConfiguration]


class ProposalEvent(TypedDict):
    """The search proposed one more configuration of an open plan: its number, name and values.

    memory: what the search must be told of it later
    """

    number: Count
    configuration: str
    values: dict[str, Value]
    memory: NotRequired[dict[str, Any]]


class SearchDoneEvent(TypedDict):
    """The search proposes no further configuration."""


class TrialEvent(TypedDict):
    """One planned trial (TrialSpec); a later line for the same trial replaces it."""

    spec: TrialSpec


class DataFacts(TypedDict):
    """What a trial's data are; rows: split -> examples, of sessions since they are recorded."""

    description: str
    fingerprint: str
    rows: NotRequired[dict[str, int]]


class SessionEvent(TypedDict):
    """A driver began: its number, versions, machine, what can be measured and what not, what it priced the sweep at."""

    __pydantic_config__ = ConfigDict(strict=True, extra="allow")  # type: ignore[misc]  # any further fact may be told

    number: int
    versions: NotRequired[dict[str, str]]
    machine: NotRequired[dict[str, Any]]
    measured: NotRequired[dict[str, list[Any]]]
    data: NotRequired[dict[str, DataFacts]]
    assets: NotRequired[dict[str, dict[str, Any]]]
    cautions: NotRequired[list[str]]
    price: NotRequired[dict[str, PriceFact]]
    origins: NotRequired[list[OriginFact]]


class StartedEvent(TypedDict):
    """A trial got a worker: attempt, the epochs after which it continues (0 = from the start).

    beside: the other seeds of its configuration that the worker trains with it, as one model
    """

    trial: str
    attempt: Count
    after: Epochs
    beside: NotRequired[list[str]]


class ReportEvent(TypedDict):
    """A trial was evaluated, after an epoch or within one (EpochRecord)."""

    trial: str
    attempt: Count
    record: EpochRecord


class PausedEvent(TypedDict):
    """A trial left its worker; where its checkpoint is; costs: what was spent since its last report."""

    trial: str
    attempt: NotRequired[Count]
    epoch: Epochs
    checkpoint: str
    costs: NotRequired[Costs]


class SavedEvent(TypedDict):
    """A trial that trains on was saved: epochs trained, its checkpoint, what was spent since its last report."""

    trial: str
    attempt: NotRequired[Count]
    epoch: Epochs
    checkpoint: str
    costs: Costs


class EndedEvent(TypedDict):
    """A trial will not train again, or its attempt broke off: status, reason, what no report covers.

    micro_batch_size: examples that are computed at once in the next attempt, since more did not fit into memory
    """

    trial: str
    attempt: NotRequired[Count]
    status: Literal["finished", "stopped", "failed", "interrupted"]
    reason: NotRequired[str]
    lost_wall_s: NotRequired[float | None]
    lost: NotRequired[Costs | None]
    micro_batch_size: NotRequired[Annotated[int, Field(ge=1)]]


class HeldOutEvent(TypedDict):
    """A chosen trial was evaluated on the test set (HeldOutRecord)."""

    trial: str
    record: HeldOutRecord


class EnergyEvent(TypedDict):
    """What the energy meters of the nodes have counted since each began (MeteredDevice); a later line replaces it."""

    devices: list[MeteredDevice]


class MeasuredEvent(TypedDict):
    """Work of trials that was done once more, alone, to measure its energy (EnergyMeasurement)."""

    measurements: list[EnergyMeasurement]


class ReplayEvent(TypedDict):
    """Exit policies added to the record, to be replayed from the stored logits."""

    policies: list[str | dict[str, Any]]


class LimitEvent(TypedDict):
    """A budget limit was reached: axis, used, limit."""

    axis: Axis
    used: float | None
    limit: float


class ClosedEvent(TypedDict):
    """A driver ended in good order: status finished, limit or interrupted."""

    status: Literal["finished", "limit", "interrupted"]


KINDS: Mapping[str, Any] = {
    "sweep": SweepEvent,
    "earlier": EarlierEvent,
    "proposal": ProposalEvent,
    "search_done": SearchDoneEvent,
    "trial": TrialEvent,
    "session": SessionEvent,
    "started": StartedEvent,
    "report": ReportEvent,
    "decision": Verdict,
    "paused": PausedEvent,
    "saved": SavedEvent,
    "ended": EndedEvent,
    "shared_failure": SharedFailure,
    "held_out": HeldOutEvent,
    "energy": EnergyEvent,
    "measured": MeasuredEvent,
    "replay": ReplayEvent,
    "limit": LimitEvent,
    "closed": ClosedEvent,
}
"""Kind -> what its line holds besides number, time and kind."""


@cache
def shape_of(kind: str) -> Shape:
    """The shape of the events of a kind. KeyError for another one."""
    return Shape(KINDS[kind])
