"""The conductor: hands out trials, journals what they report, and asks the scheduler, all without Ray.

Every method first writes the journal, then acts. A killed driver therefore never acted on anything that the journal
does not know.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from greenexp.errors import StateError
from greenexp.journal.budget import limit_reached, room_for
from greenexp.journal.events import Event
from greenexp.journal.file import Journal
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.decision import Action, Verdict
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.history import LimitReached
from greenexp.records.progress import Epochs
from greenexp.schedulers import Scheduler
from greenexp.searches.base import NoProposal, Proposal
from greenexp.tuning.assignment import Assignment, NoTrial, assignment_of, half_at_once
from greenexp.tuning.groups import TrialGroups
from greenexp.tuning.queue import TrialQueue, turn, waits
from greenexp.tuning.replay import objectives_told
from greenexp.tuning.searching import Searching, proposal_data

Listener = Callable[[Event], None]
Enough = Callable[[SweepState], LimitReached | None]
"""Says of a sweep's state that no further configuration is worth its cost, and why."""


class Conductor:
    """One session of a sweep.

    journal: open for writing, its `sweep` and `trial` lines already there
    state: the journal's state, kept up to date here
    scheduler: rebuilt from the same journal (`replay.rebuild`)
    limits: budget axis -> limit in the axis' unit; workers: trials at a time, of `processes` each
    search: of an open plan, asked for the next configuration when no trial is left to start
    max_failures: how often a trial whose worker died is handed out again in this session
    listen: called with every event after it is on disk
    enough: asked before a configuration is begun; what has begun trains on
    """

    def __init__(
        self,
        journal: Journal,
        state: SweepState,
        scheduler: Scheduler,
        *,
        limits: Mapping[str, float],
        workers: int,
        max_failures: int = 1,
        processes: int = 1,
        search: Searching | None = None,
        listen: Listener | None = None,
        enough: Enough | None = None,
    ) -> None:
        self.journal, self.state, self.scheduler = journal, state, scheduler
        self.limits = limits
        self.workers = workers
        self.max_failures = max_failures
        self.processes = processes
        self.search = search
        self.listen = listen
        self.enough = enough
        self.limit: LimitReached | None = None
        self.draining = False
        self._live: set[str] = set()
        self._parked: set[str] = set()
        self._deaths: Counter[str] = Counter()
        self._queue = TrialQueue(state.trials)
        self.groups = TrialGroups()

    def begin(self, facts: Mapping[str, Any], missing: tuple[Verdict, ...] = ()) -> None:
        """Journal that this session begins, and the verdicts that replay found missing.

        Trials that a dead driver left running become `interrupted`.
        """
        self.write("session", number=len(self.state.sessions) + 1, **facts)
        self._write_verdicts(missing)

    def next_trial(self) -> Assignment | NoTrial:
        """The trial to start on a free worker: one that was broken off or released first, else the next planned.

        A planned trial is passed over while the scheduler says that its turn has not come.
        """
        if self.draining:
            return NoTrial.WAIT if self._live else NoTrial.DONE
        if self.groups.workers(self._live) >= self.workers or self.releasable():
            return NoTrial.WAIT  # what has been released goes first
        trial = self._next_runnable()
        if trial is None:
            self._propose()
            trial = self._next_runnable()
        if self.releasable():
            return NoTrial.WAIT  # that the search is done has released some
        if trial is None:
            self._note_what_is_not_begun()
        if trial is None or not self._has_room(trial):
            return NoTrial.WAIT if self._live else NoTrial.DONE
        return assignment_of(trial)

    def may_take(self, trial: TrialState) -> bool:
        """Whether a worker may take it: nobody has it, its turn has come, and the budget has room for it."""
        name = trial.spec.trial
        if trial.ended or not self._is_free(trial):
            return False
        if name not in self._queue.ever_begun() and (self._trials_used_up() or not self.scheduler.may_begin(name)):
            return False
        return self._has_room(trial)

    def started(self, trial: str, attempt: int, after: Epochs) -> None:
        """A worker has taken the trial up after `after` epochs."""
        self._live.add(trial)
        self._parked.discard(trial)
        self._queue.began(trial)
        self._write_started(trial, attempt, after)

    def reserve(self, trial: str) -> None:
        """Count the trial among the running ones from the moment it is handed out."""
        self._live.add(trial)

    def report(self, trial: str, attempt: int, record: EpochRecord) -> Action:
        """Journal a report, let the scheduler decide, journal that, and say what the trial does next."""
        known = self.state.trials[trial]
        repeated = record.epoch in known.records
        self.write("report", trial=trial, attempt=attempt, record=record.to_json())
        if record.last:
            self._live.discard(trial)
            # Also before its last epoch: nobody is to wait for it at a rung that it will not come to.
            objectives = objectives_told(self.scheduler, self.state, trial, record)
            verdicts = self.scheduler.finish(trial, record.epoch, record.best_score, objectives=objectives)
            self._write_verdicts(verdicts)
            return Action.STOP
        return self._possible(known, self._standing(known) if repeated else self._decide(trial, record))

    def standing(self, trial: str) -> Action:
        """What a trial that has reported does next, after others of its worker have reported too."""
        known = self.state.trials[trial]
        return self._possible(known, self._standing(known))

    def saved(self, trial: str, attempt: int, epoch: Epochs, checkpoint: str, costs: Mapping[str, Any]) -> None:
        """The trial trains on, and its state after `epoch` epochs is safe in `checkpoint`.

        costs: what was spent since its last report, as fields of `Costs`
        """
        self.write("saved", trial=trial, attempt=attempt, epoch=epoch, checkpoint=checkpoint, costs=dict(costs))

    def paused(
        self, trial: str, attempt: int, epoch: Epochs, checkpoint: str, costs: Mapping[str, Any], *, parked: bool = True
    ) -> None:
        """The trial's state is safe in `checkpoint` and its worker is free; costs: as of `saved`.

        parked: whether the workers' queue keeps it; else it is handed out anew, by `next_trial`
        """
        self._live.discard(trial)
        if parked:
            self._parked.add(trial)
        self.write("paused", trial=trial, attempt=attempt, epoch=epoch, checkpoint=checkpoint, costs=dict(costs))

    def worker_died(
        self, trial: str, attempt: int, reason: str, *, of_memory: bool = False, saved: bool = False, blame: bool = True
    ) -> None:
        """An attempt ended without the trial's doing: it is handed out again, unless that happened too often.

        of_memory: it was killed because its machine ran out of memory; then half as much is computed at once
        saved: its node is taken away, and its state was saved before: no failure, and nothing is lost
        blame: whether it counts as a failure of this trial
        """
        self._live.discard(trial)
        self._parked.discard(trial)
        if self.state.trials[trial].ended:  # stopped while it was being saved
            return
        self._deaths[trial] += blame and not saved
        if self._deaths[trial] > self.max_failures:
            self.failed(trial, attempt, reason)
        else:
            half = half_at_once(self.state.trials[trial], self.processes) if of_memory else None
            self._end(trial, attempt, "interrupted", reason, Costs(wall_s=0.0) if saved else None, half)

    def divided(self, trial: str, attempt: int, reason: str, lost: Costs | None, at_once: int | None) -> None:
        """Memory ran out: the worker goes on from the last checkpoint, as attempt `attempt` + 1, with less at once.

        at_once: examples that it computes at once from now on, None: as before; lost: what no report or checkpoint has
        """
        checkpoint = self.state.trials[trial].checkpoint
        self._end(trial, attempt, "interrupted", reason, lost, at_once=at_once)
        self._write_started(trial, attempt + 1, checkpoint[0] if checkpoint else 0)

    def restarted(self, trial: str, attempt: int, reason: str) -> None:
        """The worker could not go on from the trial's checkpoint and began anew: attempt `attempt` + 1."""
        self._end(trial, attempt, "interrupted", reason, Costs(wall_s=0.0))
        self._write_started(trial, attempt + 1, 0)

    def failed(self, trial: str, attempt: int, reason: str, lost: Costs | None = None) -> None:
        """The trial failed for good; whoever waited for it is released or stopped.

        lost: what was spent since its last report, where the worker could still tell
        """
        self._live.discard(trial)
        self._parked.discard(trial)
        self._end(trial, attempt, "failed", reason, lost)
        self._write_verdicts(self.scheduler.withdraw(trial, reason))

    def held_out(self, trial: str, record: HeldOutRecord) -> None:
        """The trial's model was evaluated on the test set."""
        self.write("held_out", trial=trial, record=record.to_json())

    def drain(self) -> None:
        """Start nothing more and pause every trial at its next report."""
        self.draining = True

    def close(self, broken_off: str | None = None) -> str:
        """Journal how the session ended: `finished`, `limit` or `interrupted`.

        broken_off: why it broke off; then it is `interrupted` though all trials have ended: nothing came after them
        """
        for trial in map(self.state.trials.__getitem__, sorted(self._live)):
            if trial.status == "running":  # else it had been handed out, but no worker took it
                self._end(trial.spec.trial, trial.attempts, "interrupted", broken_off or "stopped by the user")
        self._live.clear()
        status = "finished" if self.state.complete else "limit" if self.limit else "interrupted"
        status = "interrupted" if broken_off is not None else status
        self.write("closed", status=status)
        return status

    @property
    def selected(self) -> bool:
        """Whether this session's choice on dev stands: all has ended, or a limit ended it; not if it was broken off."""
        return self.state.complete or (self.limit is not None and not self.draining)

    @property
    def live(self) -> frozenset[str]:
        """Trials that have a worker, or have been handed out to one."""
        return frozenset(self._live)

    def releasable(self) -> list[str]:
        """Trials that paused in this session and may train on now: those at the highest rung first, in plan order."""
        ready = [self.state.trials[name] for name in self._parked]
        if self.draining or self.groups.workers(self._live) >= self.workers:
            return []
        ready = [trial for trial in ready if not trial.ended and not waits(trial) and self._has_room(trial)]
        return [trial.spec.trial for trial in sorted(ready, key=turn)]

    def stopped_while_paused(self) -> list[str]:
        """Trials that paused in this session and have been stopped since."""
        return sorted(name for name in self._parked if self.state.trials[name].ended)

    def drop_paused(self, trial: str) -> None:
        """A trial of `stopped_while_paused` has been removed from the workers' queue."""
        self._parked.discard(trial)

    def _next_runnable(self) -> TrialState | None:
        begun = [trial for trial in self._queue.begun() if self._is_free(trial)]
        if begun or self._trials_used_up():
            return min(begun, key=turn, default=None)
        is_worth = self._not_worth_it() is None
        found = None
        for trial in self._queue.planned():
            if found is not None and not trial.verdicts:  # only what stands at a level goes before its turn in the plan
                continue
            may_begin = self._is_free(trial) and self.scheduler.may_begin(trial.spec.trial)
            if may_begin and (is_worth or self._has_begun(trial)):
                found = trial if found is None else min(found, trial, key=turn)
        return found

    def _is_free(self, trial: TrialState) -> bool:
        """Whether no worker has it or keeps it, and it waits for nobody."""
        return trial.spec.trial not in self._live and trial.spec.trial not in self._parked and not waits(trial)

    def _propose(self) -> None:
        """Ask the search for one more configuration, and put it and its trials, or that it is done, on record."""
        if self.search is None or not self._may_propose or self._trials_used_up() or self._budget_used_up():
            return
        if self._not_worth_it() is not None:
            return
        answer = self.search.ask(self.state)
        if answer is NoProposal.DONE:
            self.write("search_done")
            self._write_verdicts(self.scheduler.close())
        if answer is NoProposal.WAIT and not self._live and all(waits(self.state.trials[n]) for n in self._parked):
            raise StateError("the search waits for a configuration to end, but none is running")
        if not isinstance(answer, Proposal):
            return
        number = len(self.state.proposals)
        trials = self.search.trials(number, answer.values)
        configuration = trials[0].configuration
        self.write("proposal", **proposal_data(number, configuration, answer))
        for trial in trials:
            self.write("trial", spec=trial.to_json())
        self.scheduler.enter(configuration, [trial.trial for trial in trials])

    def _budget_used_up(self) -> bool:
        reached = limit_reached(self.state, self.limits)
        if reached is not None and self.limit is None:
            self._reach(reached)
        return reached is not None

    def _trials_used_up(self) -> bool:
        return "trials" in self.limits and self._trials_started() >= self.limits["trials"]

    def _trials_started(self) -> int:
        return len(self._queue.ever_begun() | self._live)

    def _not_worth_it(self) -> LimitReached | None:
        return None if self.enough is None else self.enough(self.state)

    def _has_begun(self, trial: TrialState) -> bool:
        """Whether any seed of its configuration has."""
        members = self.state.members(trial.spec.configuration)
        return any(member.attempts > 0 or member.spec.trial in self._live for member in members)

    def _note_what_is_not_begun(self) -> None:
        """Say that the limit on trials, or the worth of another configuration, keeps planned ones from starting."""
        left = any(not trial.attempts and not trial.ended for trial in self.state.trials.values())
        if self._live or self.limit is not None or not (left or self._may_propose):
            return
        if self._trials_used_up():
            self._reach(LimitReached("trials", float(self._trials_started()), self.limits["trials"]))
        elif (worth := self._not_worth_it()) is not None:
            self._reach(worth)

    @property
    def _may_propose(self) -> bool:
        return self.search is not None and not self.state.search_done

    def _decide(self, trial: str, record: EpochRecord) -> Action:
        objectives = objectives_told(self.scheduler, self.state, trial, record)
        costs = dataclasses.asdict(record.costs)
        decision = self.scheduler.decide(trial, record.epoch, record.best_score, costs, objectives)
        self._write_verdicts(decision.verdicts)
        return decision.action

    def _possible(self, trial: TrialState, action: Action) -> Action:
        if action is Action.STOP:
            self._live.discard(trial.spec.trial)
        return Action.PAUSE if action is Action.GO_ON and not self._may_train_on(trial) else action

    def _standing(self, trial: TrialState) -> Action:
        """What was decided when the epoch was reported the first time: it is not decided twice."""
        if trial.ended:
            return Action.STOP
        rung = trial.verdicts[-1][1].rung if waits(trial) else None
        return Action.PAUSE if rung is not None and trial.reports[-1][2].epoch >= rung else Action.GO_ON

    def _write_verdicts(self, verdicts: tuple[Verdict, ...]) -> None:
        for verdict in verdicts:
            if verdict.rung is not None:
                self.write("decision", **verdict.to_json())

    def _may_train_on(self, trial: TrialState) -> bool:
        return not self.draining and not self._budget_used_up() and self._has_room(trial)

    def _has_room(self, trial: TrialState) -> bool:
        """Whether the budget has room for one more report of this trial besides those that are under way."""
        others = [self.state.trials[name] for name in self._live if name != trial.spec.trial]
        short = room_for(self.state, trial, others, self.limits)
        if short is not None and not others and self.limit is None:
            self._reach(short)
        return short is None

    def _reach(self, reached: LimitReached) -> None:
        self.limit = reached
        self.write("limit", axis=reached.axis, used=reached.used, limit=reached.limit)

    def _end(
        self, trial: str, attempt: int, status: str, reason: str, lost: Costs | None = None, at_once: int | None = None
    ) -> None:
        known = self.state.trials[trial]
        lost_s = max(0.0, self.journal.now() - known.last_seen) if known.status == "running" else 0.0
        lost_s /= self.state.stints.sharing(trial)
        self.write(
            "ended",
            trial=trial,
            attempt=attempt,
            status=status,
            reason=reason,
            lost_wall_s=round(lost.wall_s if lost else lost_s, 6),
            lost=None if lost is None else dataclasses.asdict(lost),
            **({} if at_once is None else {"micro_batch_size": at_once}),
        )

    def _write_started(self, trial: str, attempt: int, after: Epochs) -> None:
        self.write("started", trial=trial, attempt=attempt, after=after, **self.groups.beside(trial))

    def write(self, kind: str, **data: Any) -> None:
        """Journal an event, and take it into the state."""
        event = self.journal.append(kind, **data)
        self.state.apply(event)
        if self.listen is not None:
            with contextlib.suppress(OSError):  # a closed terminal must not end the sweep
                self.listen(event)
