"""A sweep's state, rebuilt from its journal: what resume, status, limits and tables start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.errors import JournalError
from greenexp.journal.events import Event
from greenexp.journal.shapes import why_not_understood
from greenexp.journal.stints import StintLog
from greenexp.records.decision import Action, Verdict
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.energy import EnergyMeasurement, MeteredDevice
from greenexp.records.epoch import Costs, EpochRecord, best_epoch, trial_score
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.history import LimitReached
from greenexp.records.policies import with_added
from greenexp.records.progress import Epochs, epochs_at
from greenexp.records.selection import SeedOutcome, best_trial, chosen_configuration
from greenexp.records.shared_failure import SharedFailure
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import LOST_COSTS
from greenexp.records.totals import CostTotals
from greenexp.records.trial import TrialSpec, early_end

ENDED = frozenset({"finished", "stopped", "failed"})
# What a trial's end comes with.
_ENDING = frozenset({"report", "decision", "ended"})
# Written while no session is under way: the time since the last session is not at its expense.
_BETWEEN_SESSIONS = frozenset({"sweep", "earlier", "trial", "replay", "measured"})


@dataclass(slots=True)
class TrialState:
    """Where one trial stands.

    status: planned, running, paused, finished, stopped, failed or interrupted (its driver or worker died)
    attempts: how often it got a worker from the start or after a break; pausing and going on is no new attempt
    records: epoch -> its latest record; reports: all of them as (attempt, event time, record)
    checkpoint: (epochs trained, folder relative to the sweep's) of the state saved last, or None
    unreported: what was spent between the last report and that state, if it was saved between two reports
    lost_wall_s: worker seconds of broken attempts that no report covers, an equal part where seeds shared the worker
    lost: the other costs of such work where the worker could still tell; broken: attempts of which it could not
    micro_batch_size: examples computed at once, where more did not fit into memory; None: what its settings say
    held_out: (event time, result) of every evaluation on the test set
    """

    spec: TrialSpec
    status: str = "planned"
    reason: str = ""
    attempts: int = 0
    records: dict[Epochs, EpochRecord] = field(default_factory=dict)
    reports: list[tuple[int, float, EpochRecord]] = field(default_factory=list)
    verdicts: list[tuple[float, Verdict]] = field(default_factory=list)
    checkpoint: tuple[Epochs, str] | None = None
    unreported: Costs | None = None
    lost_wall_s: float = 0.0
    lost: dict[str, float] = field(default_factory=dict)
    broken: int = 0
    micro_batch_size: int | None = None
    held_out: list[tuple[float, HeldOutRecord]] = field(default_factory=list)
    last_seen: float = 0.0

    @property
    def ended(self) -> bool:
        """True once the trial will never train again."""
        return self.status in ENDED

    @property
    def given_up(self) -> bool:
        """Whether it was stopped before it began: its configuration did not come to the rung that counts it."""
        return self.status == "stopped" and not self.records

    @property
    def epoch(self) -> Epochs:
        """Epochs trained at the latest report, 0 before the first."""
        return max(self.records, default=0)

    @property
    def score(self) -> float | None:
        """Best dev value so far; see `records.epoch.trial_score`."""
        return trial_score(self.records)

    @property
    def best_epoch(self) -> Epochs | None:
        """The epoch of the first report that reached the score; see `records.epoch.best_epoch`."""
        return best_epoch(self.records)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A configuration that the search of an open plan proposed.

    values: searched path -> value; memory: what the search noted of it
    """

    configuration: str
    values: Mapping[str, Any]
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """One driver's life: `began` and `last` are times of its first and latest event; `closed` its orderly end."""

    data: Mapping[str, Any]
    began: float
    last: float
    closed: str | None = None


class SweepState:
    """The state after a sequence of events; feed it further events with `apply`.

    earlier: what the search was told of other sweeps at the start, None before that was written
    proposals: what the search of an open plan proposed, in order; search_done: whether it will propose nothing more
    ended: the configurations all of whose trials have ended, in the order in which they did
    metered: (span, device) -> what its energy meter has counted in that span
    shared_failures: faults of a device that ended all trials on it
    measured: energy of work that was done once more, alone
    added_policies: exit policies that were added to the record, besides those of the sweep file
    spent: totals over all reports so far and over lost work as far as it is known, kept as events come, so that
        checking a limit costs the same at the first report and the ten-thousandth; reports_run: how many there are
    stints: when trials held workers
    lines: how many events there are; unchecked: those of them whose line carries no check
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.header: Mapping[str, Any] = {}
        self._spec: SweepSpec | None = None
        self.began = 0.0
        self.trials: dict[str, TrialState] = {}
        self.earlier: tuple[EarlierConfiguration, ...] | None = None
        self.proposals: list[Proposed] = []
        self.measured: list[EnergyMeasurement] = []
        self.metered: dict[tuple[str, str], MeteredDevice] = {}
        self.shared_failures: list[SharedFailure] = []
        self.search_done = False
        self.ended: list[str] = []
        self._members: dict[str, list[TrialState]] = {}
        self.sessions: list[Session] = []
        self.stints = StintLog()
        self.limit: LimitReached | None = None
        self.added_policies: list[Any] = []
        self.lines = self.unchecked = 0
        self.reports_run = 0
        self.spent = CostTotals()
        for event in events:
            self.apply(event)

    @property
    def spec(self) -> SweepSpec:
        """The resolved sweep file. JournalError where nothing was recorded yet."""
        if self._spec is None:
            raise JournalError("the journal is empty: the sweep had not begun")
        return self._spec

    @property
    def policies(self) -> tuple[Any, ...]:
        """The exit policies whose operating points belong to the record."""
        return with_added((policy.to_json() for policy in self.spec.replay.policies), self.added_policies)

    @property
    def epochs_run(self) -> Epochs:
        """Epochs trained so far, repeated ones included."""
        return epochs_at(self.reports_run, self.spec.training.reports_per_epoch) if self.reports_run else 0

    @property
    def elapsed_s(self) -> float:
        """Seconds some driver was at work; the time between sessions does not count."""
        return sum(session.last - session.began for session in self.sessions)

    @property
    def complete(self) -> bool:
        """True when every planned trial has ended, and none will be added."""
        ended = bool(self.trials) and all(trial.ended for trial in self.trials.values())
        return ended and (self.search_done or not self.open)

    @property
    def open(self) -> bool:
        """Whether the search proposes configurations while the sweep runs."""
        return bool(self.header.get("open"))

    @property
    def configurations(self) -> tuple[str, ...]:
        """Names of the configurations, in the order of the journal."""
        return tuple(self._members)

    def members(self, configuration: str) -> tuple[TrialState, ...]:
        """The trials of a configuration, in the order of the journal."""
        return tuple(self._members.get(configuration, ()))

    @property
    def chosen(self) -> tuple[TrialState, ...]:
        """The trials of the configuration that is best on dev so far that began; empty while none has ended whole."""
        outcomes = [SeedOutcome(t.spec.configuration, t.status, t.epoch, t.score) for t in self.trials.values()]
        best = chosen_configuration(outcomes, self.mode)
        return tuple(t for t in self.trials.values() if t.spec.configuration == best and not t.given_up)

    @property
    def best(self) -> TrialState | None:
        """The trial with the best score so far, of those that did not fail."""
        if not self.trials:
            return None
        return best_trial(self.trials.values(), self.mode)

    @property
    def remark(self) -> str | None:
        """What a reader must know of the journal: that lines of an earlier version carry no checks; else None."""
        if not self.unchecked:
            return None
        if self.unchecked == self.lines:
            return "unchecked: an earlier version wrote it, without checks, so that a changed byte is not found"
        return (
            f"unchecked in its first {self.unchecked} lines, which an earlier version wrote: a byte of them that was "
            f"changed before line {self.unchecked + 1} was written is not found"
        )

    @property
    def mode(self) -> str:
        """Whether the metric is to be greatest (`max`) or least (`min`)."""
        return self.spec.metric.mode

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        handler: Callable[[Event], None] = getattr(self, f"_on_{event.kind}")
        if not self.header and event.kind != "sweep":
            raise JournalError(f"the journal begins with '{event.kind}' where its 'sweep' line belongs")
        try:
            handler(event)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            reason = why_not_understood(error, event.kind, event.data)
            raise JournalError(f"{event.place}: event {event.number} ('{event.kind}'): {reason}") from error
        self.stints.apply(event)
        if event.kind in _ENDING:
            self._note_end(self._trial(event).spec.configuration)
        if self.sessions and event.kind not in _BETWEEN_SESSIONS:
            self.sessions[-1].last = max(self.sessions[-1].last, event.time)
        self.lines, self.unchecked = self.lines + 1, self.unchecked + (not event.checked)

    def _trial(self, event: Event) -> TrialState:
        """The trial that an event is about."""
        trial = self.trials.get(event.data["trial"])
        if trial is None:
            raise ValueError(f"there is no trial {event.data['trial']!r}")
        return trial

    def _check_known(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.trials:
                raise ValueError(f"there is no trial {name!r}")

    def _note_end(self, configuration: str) -> None:
        """Put the configuration into `ended` if its last trial has just ended."""
        members = self._members[configuration]
        if configuration not in self.ended and all(trial.ended for trial in members):
            self.ended.append(configuration)

    def _on_sweep(self, event: Event) -> None:
        self.began = self.began or event.time
        self.search_done = False  # another number of proposals may have been asked for
        self.header, self._spec = event.data, SweepSpec.from_json(event.data["spec"])

    def _on_trial(self, event: Event) -> None:
        spec = TrialSpec.from_json(event.data["spec"])
        if spec.trial in self.trials:
            self.trials[spec.trial].spec = spec
        else:
            self.trials[spec.trial] = TrialState(spec)
            self._members.setdefault(spec.configuration, []).append(self.trials[spec.trial])

    def _on_earlier(self, event: Event) -> None:
        self.earlier = tuple(EarlierConfiguration.from_json(one) for one in event.data["configurations"])

    def _on_proposal(self, event: Event) -> None:
        if event.data["number"] != len(self.proposals):
            raise ValueError(f"proposal {event.data['number']} where {len(self.proposals)} belongs")
        memory = event.data.get("memory", {})
        self.proposals.append(Proposed(event.data["configuration"], event.data["values"], memory))

    def _on_search_done(self, _event: Event) -> None:
        self.search_done = True

    def _on_session(self, event: Event) -> None:
        for trial in self.trials.values():
            if trial.status == "running":  # its driver died without a word
                trial.status, trial.reason = "interrupted", "the driver ended without closing the sweep"
                lost_s = max(0.0, self.sessions[-1].last - trial.last_seen) if self.sessions else 0.0
                trial.lost_wall_s += lost_s / self.stints.sharing(trial.spec.trial)
                trial.broken += 1
        self.limit = None
        self.sessions.append(Session(event.data, event.time, event.time))

    def _on_started(self, event: Event) -> None:
        trial = self._trial(event)
        if trial.ended:  # e.g. stopped while its worker was being started
            return
        trial.status, trial.reason = "running", ""
        if event.data["after"] == 0:
            trial.checkpoint = None
            self._write_off(trial)
        trial.attempts = max(trial.attempts, event.data["attempt"])
        trial.last_seen = event.time

    def _on_report(self, event: Event) -> None:
        trial = self._trial(event)
        record = EpochRecord.from_json(event.data["record"])
        trial.records[record.epoch] = record
        trial.reports.append((event.data["attempt"], event.time, record))
        trial.last_seen, trial.unreported = event.time, None
        self.reports_run += 1
        self.spent.add(record.costs)
        if record.last:
            trial.status, trial.reason = "finished", early_end(trial.spec.settings.training, record.epoch)

    def _on_decision(self, event: Event) -> None:
        verdict = Verdict.from_json(event.data)
        trial = self._trial(event)
        trial.verdicts.append((event.time, verdict))
        if verdict.action is Action.STOP:
            if trial.status != "running":  # else its next report comes first
                self._write_off(trial)
            trial.status, trial.reason = "stopped", verdict.reason

    def _on_paused(self, event: Event) -> None:
        trial = self._trial(event)
        if not trial.ended:
            trial.status, trial.reason = "paused", ""
        trial.checkpoint, costs = (event.data["epoch"], event.data["checkpoint"]), event.data.get("costs")
        trial.unreported = None if costs is None else Costs(**costs)
        if trial.status == "stopped":
            self._write_off(trial)

    def _on_saved(self, event: Event) -> None:
        trial = self._trial(event)
        trial.checkpoint = (event.data["epoch"], event.data["checkpoint"])
        trial.last_seen, trial.unreported = event.time, Costs(**event.data["costs"])

    def _write_off(self, trial: TrialState) -> None:
        """What was spent after the last report is lost: no attempt goes on from the state that was saved then."""
        costs, trial.unreported = trial.unreported, None
        if costs is not None:
            trial.lost_wall_s += costs.wall_s
            self._note_lost(trial, dataclasses.asdict(costs))

    def _note_lost(self, trial: TrialState, costs: Mapping[str, float | None]) -> None:
        self.spent.add_lost(costs)
        for name in LOST_COSTS:
            cost = costs[name]
            if cost is not None:
                trial.lost[name] = trial.lost.get(name, 0.0) + cost

    def _on_ended(self, event: Event) -> None:
        trial = self._trial(event)
        if not trial.ended:  # a trial that was stopped stays stopped, whatever its worker came to
            trial.status, trial.reason = event.data["status"], event.data.get("reason", "")
        trial.micro_batch_size = event.data.get("micro_batch_size", trial.micro_batch_size)
        lost_s, lost = event.data.get("lost_wall_s") or 0.0, event.data.get("lost")
        trial.lost_wall_s += lost_s
        if lost is None:
            trial.broken += lost_s > 0 or event.data["status"] == "interrupted"
            if trial.ended:
                self._write_off(trial)
            return
        if event.data["status"] == "failed":
            trial.unreported = None  # what the worker told includes it
        self._note_lost(trial, lost)

    def _on_held_out(self, event: Event) -> None:
        record = HeldOutRecord.from_json(event.data["record"])
        self._trial(event).held_out.append((event.time, record))

    def _on_energy(self, event: Event) -> None:
        for data in event.data["devices"]:
            device = MeteredDevice.from_json(data)
            self.metered[device.span, device.device] = device

    def _on_measured(self, event: Event) -> None:
        found = [EnergyMeasurement.from_json(data) for data in event.data["measurements"]]
        self._check_known(one.trial for one in found)
        self.measured += found

    def _on_shared_failure(self, event: Event) -> None:
        found = SharedFailure.from_json(event.data)
        self._check_known((*found.trials, *found.counted))
        self.shared_failures.append(found)

    def _on_replay(self, event: Event) -> None:
        self.added_policies += event.data["policies"]

    def _on_limit(self, event: Event) -> None:
        self.limit = LimitReached(event.data["axis"], event.data["used"], event.data["limit"])

    def _on_closed(self, event: Event) -> None:
        if not self.sessions:
            raise ValueError("no session has begun")
        self.sessions[-1].closed = event.data["status"]
