"""The conductor behind Ray Tune's three interfaces: searcher, scheduler and callback.

Tune decides nothing here. The searcher hands out what the conductor says, the scheduler returns the conductor's
action, the callback tells it of workers that start, save or die.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from greenexp.errors import BrokenOffError, GreenexpError, abridged
from greenexp.plan.data import data_key
from greenexp.records.decision import Action
from greenexp.records.epoch import Costs, EpochRecord, seeds_together
from greenexp.tuning.assignment import Assignment, NoTrial
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.energy import EnergyWatch
from greenexp.tuning.shared_fate import SharedFate
from greenexp.tuning.silence import Silence
from greenexp.tuning.tunes_insides import account_of, cause_of, end_idle_workers, forget_states, kill_worker
from greenexp.tuning.worker import POINTER

_ACTIONS = {
    Action.GO_ON: TrialScheduler.CONTINUE,
    Action.PAUSE: TrialScheduler.PAUSE,
    Action.STOP: TrialScheduler.STOP,
}


# In the last line of a dead worker's traceback: the machine's fault and not the trial's.
MACHINE_TROUBLE = (
    "CheckpointError", "StateError", "No space left on device", "Disk quota exceeded", "Read-only file system",
)  # fmt: skip
# Anywhere in it: Ray ends the worker that it holds responsible where a node runs out of memory.
MEMORY_TROUBLE = ("NODE_OUT_OF_MEMORY", "OutOfMemoryError", "running low on memory")


class TuneSession:
    """What the three share: the conductor, each trial's current attempt, and the error that ended the session.

    silence: when trials were last heard of; given_up: trial -> why its worker was killed, until Tune says that it died;
        leaving: those of them that were saved before, as their node will be taken away; fate: where GPUs are shared
            through MPS, what gathers the deaths of trials by a fault that they share

    Tune wraps exceptions from its callbacks in text; an error is kept here and raised when Tune has returned.
    """

    def __init__(
        self,
        conductor: Conductor,
        draining: Callable[[], None] | None = None,
        *,
        no_report_limit_s: float | None = None,
        expected_report_s: Mapping[str, float] | None = None,
    ) -> None:
        self.conductor = conductor
        trials = conductor.state.trials.items()
        took = (
            (name, record.costs.wall_s * seeds_together(record))
            for name, trial in trials
            for _, _, record in trial.reports
        )
        self.silence = Silence(no_report_limit_s, ((name, s) for name, s in took if s is not None), expected_report_s)
        self.given_up: dict[str, str] = {}
        self.leaving: set[str] = set()
        self._say_draining = draining
        self.error: GreenexpError | None = None
        self.halted = False
        self.attempts: dict[str, int] = {}
        self.energy: EnergyWatch | None = None
        self.fate: SharedFate | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its parts for a restore that is never done; there is nothing in a session to keep."""
        return {}

    @property
    def over(self) -> bool:
        """Whether the session had come to its end by itself: nothing is running, and nothing is left or wanted."""
        return not self.conductor.live and (
            self.conductor.state.complete or self.conductor.draining or self.conductor.limit is not None
        )

    def guard(self, act: Callable[[], Any], otherwise: Any = None) -> Any:
        """`act()`, or `otherwise` and an end of the session if it raises one of our errors."""
        if self.error is not None:
            return otherwise
        try:
            return act()
        except GreenexpError as error:
            self.error, self.halted = error, True
            return otherwise

    def look_up(self) -> None:
        """Say once that the session is ending. Called from Tune's loop: a signal handler must not print."""
        if self.conductor.draining and not self.halted and self._say_draining is not None:
            self._say_draining()
            self._say_draining = None

    def look_at_faults(self) -> None:
        """Journal what GPUs that trials share have come to."""
        if self.fate is not None:
            self.guard(self.fate.look)

    def halt(self, reason: str) -> None:
        """End the session for trouble of the machine, which would fail one trial after another."""
        self.error = self.error or BrokenOffError(reason)
        self.halted = True


def trial_names(trial: Trial) -> tuple[str, ...]:
    """Our names of the trials that one of Tune's stands for: several where their seeds are trained as one model."""
    return tuple(trial.config["trials"])


def is_fused(trial: Trial) -> bool:
    """Whether it stands for seeds that may be trained as one: then it ends where they pause."""
    return "members" in trial.config


class Feeder(Searcher):
    """Hands the conductor's next trial to Tune, which creates none on its own account.

    fused: whether further seeds of its configuration go with it
    """

    def __init__(self, session: TuneSession, *, fused: bool = False) -> None:
        super().__init__()
        self._session, self._fused = session, fused

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's configuration, None to be asked again, FINISHED when nothing is left."""
        session = self._session
        session.look_at_faults()  # here too: Tune asks for nothing else while no trial of its own is left
        answer = session.guard(session.conductor.next_trial, NoTrial.DONE)
        if isinstance(answer, Assignment):
            group = session.guard(lambda: self._group(answer), [answer])
            for one in group:
                session.silence.began(one.spec.trial, len(group))
                session.attempts[one.spec.trial] = one.attempt
            names, configs = [one.spec.trial for one in group], [_config(one) for one in group]
            own = {"members": json.dumps(configs, allow_nan=False)} if self._fused else configs[0]
            return {"trials": names, **own}
        return None if answer is NoTrial.WAIT else Searcher.FINISHED

    def _group(self, first: Assignment) -> list[Assignment]:
        """What goes to one worker, reserved."""
        conductor, name = self._session.conductor, first.spec.trial
        conductor.reserve(name)
        group = [first]
        while self._fused and (more := conductor.groups.further(name, conductor.state, conductor.may_take)) is not None:
            conductor.reserve(more.spec.trial)
            group.append(more)
        conductor.groups.form([one.spec.trial for one in group])
        return group

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to learn: the conductor has the record already."""

    def save(self, checkpoint_path: str) -> None:
        """Write nothing: the journal is the only durable state."""

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""


def _config(assignment: Assignment) -> dict[str, Any]:
    """What a worker must know of a trial."""
    return {
        "trial": assignment.spec.trial,
        # As text: Tune keeps copies of what it is given, flattened and not, for as long as the session lasts.
        "spec": json.dumps(assignment.spec.to_json(), separators=(",", ":"), allow_nan=False),
        "attempt": assignment.attempt,
        "checkpoint": assignment.checkpoint,
        "data": data_key(assignment.spec.settings),
        "at_once": assignment.at_once,
    }


class Bridge(TrialScheduler):
    """Takes every result to the conductor and its answer back to Tune."""

    def __init__(self, session: TuneSession, workers: int) -> None:
        super().__init__()
        self._session = session
        self._workers = workers
        self._keeps_workers = False

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journal, decide, answer."""
        session, names = self._session, trial_names(trial)
        if not session.given_up.keys().isdisjoint(names):  # its last words crossed with the decision
            return str(TrialScheduler.CONTINUE)
        for name in self._open(names):
            session.silence.heard(name)
        if "halt" in result:
            session.halt(result["halt"])
            return str(TrialScheduler.STOP)
        results = json.loads(result["trials"]) if is_fused(trial) else {names[0]: result}
        answers = [self._answer(name, session.attempts[name], own) for name, own in results.items()]
        if is_fused(trial):
            reported = any({"record", "failure"} & own.keys() for own in results.values())
            answer = self._together(names) if reported else str(TrialScheduler.CONTINUE)
        else:
            (answer,) = answers
        if answer == TrialScheduler.STOP:  # one that pauses is watched until it is saved
            for name in names:
                session.silence.ended(name)
                if session.energy is not None:
                    session.energy.release(name)
        if "leaving" in result and kill_worker(tune_controller, trial):
            session.given_up.update(dict.fromkeys(self._open(names), result["leaving"]))
            session.leaving.update(self._open(names))
        return answer

    def _open(self, names: Sequence[str]) -> list[str]:
        """Those of the trials that have not ended."""
        return [name for name in names if not self._session.conductor.state.trials[name].ended]

    def _together(self, names: Sequence[str]) -> str:
        """What becomes of seeds that share a worker. Where one pauses or is stopped, all are saved and handed out anew.

        A seed that failed, or had its last report, has left its worker by itself.
        """
        conductor = self._session.conductor
        standings = self._session.guard(lambda: {name: conductor.standing(name) for name in names})
        if standings is None or set(standings.values()) == {Action.STOP}:
            return str(TrialScheduler.STOP)
        for name in set(names).difference(self._open(names)):  # their worker says nothing of it any more
            self._session.silence.ended(name)
        stopped = any(conductor.state.trials[name].status == "stopped" for name in names)
        return str(_ACTIONS[Action.PAUSE if stopped or Action.PAUSE in standings.values() else Action.GO_ON])

    def _answer(self, name: str, attempt: int, result: dict[str, Any]) -> str:
        """What becomes of the trial after this result."""
        conductor = self._session.conductor
        if "restarted" in result:
            self._session.guard(lambda: conductor.restarted(name, attempt, result["restarted"]))
            self._session.attempts[name] = attempt = attempt + 1
        if "failure" in result:
            failure = json.loads(result["failure"])
            lost = None if failure["lost"] is None else Costs(**failure["lost"])
            self._session.guard(lambda: conductor.failed(name, attempt, failure["reason"], lost))
            return str(TrialScheduler.STOP)
        if "divided" in result:
            found = json.loads(result["divided"])
            lost = Costs(**found["lost"])
            self._session.guard(lambda: conductor.divided(name, attempt, found["reason"], lost, found["at_once"]))
            self._session.attempts[name] = attempt + 1
            return str(TrialScheduler.CONTINUE)
        if "saved" in result:
            saved = json.loads(result["saved"])
            self._session.guard(lambda: conductor.saved(name, attempt, **saved))
            return str(TrialScheduler.CONTINUE)
        record = EpochRecord.from_json(json.loads(result["record"]))
        action = self._session.guard(lambda: conductor.report(name, attempt, record), Action.STOP)
        return str(_ACTIONS[action])

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """A paused trial that has been released; on the way, remove those that have been stopped while paused.

        Tune asks before every event, so this is also where a session ends that has nothing left to wait for.
        """
        conductor = self._session.conductor
        self._session.look_up()
        if self._session.energy is not None:
            self._session.guard(self._session.energy.look)
        self._session.look_at_faults()
        if self._session.fate is not None and self._session.fate.has_news():
            end_idle_workers(tune_controller)
        self._keep_idle_workers(tune_controller)
        forget_states(tune_controller)
        self._give_up_silent(tune_controller)
        if self._session.halted or (conductor.draining and not conductor.live):
            tune_controller.request_stop_experiment()
            return None
        waiting = [trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PAUSED]
        for trial in filter(is_fused, waiting):  # its seeds are handed out anew
            tune_controller.stop_trial(trial)
        paused = {name: trial for trial in waiting if not is_fused(trial) for name in trial_names(trial)}
        for name in conductor.stopped_while_paused():
            if name in paused:
                conductor.drop_paused(name)
                tune_controller.stop_trial(paused.pop(name))
        for name in self._session.guard(conductor.releasable, []):
            if name in paused:
                conductor.reserve(name)
                self._session.silence.began(name)
                return paused[name]
        if not conductor.live and self._session.guard(conductor.next_trial, NoTrial.DONE) is NoTrial.DONE:
            tune_controller.request_stop_experiment()
        return None

    def _keep_idle_workers(self, tune_controller: Any) -> None:
        """Let every worker wait for its next trial instead of all but one being ended and started again.

        Tune offers no setting for it, and a fresh worker costs seconds of imports at every synchronous rung. Where a
        later Ray has renamed the cache, workers are restarted and nothing else changes.
        """
        trials = tune_controller.get_trials()
        cache = getattr(tune_controller, "_actor_cache", None)
        if not self._keeps_workers and trials and cache is not None:
            cache.increase_max(trials[0].placement_group_factory, by=self._workers)
            self._keeps_workers = True

    def _give_up_silent(self, tune_controller: Any) -> None:
        """Kill the workers of trials that have said nothing for too long; Tune then reports that they died.

        A trial that has no worker yet is not given up: nobody knows how long the cluster takes to find one.
        """
        silence = self._session.silence
        overdue = silence.overdue()
        if not overdue:
            return
        live = {name: trial for trial in tune_controller.get_live_trials() for name in trial_names(trial)}
        for name, reason in overdue.items():
            if name not in live:
                continue
            if kill_worker(tune_controller, live[name]):
                self._session.given_up[name] = reason
            else:
                silence.began(name)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Known already: the conductor handed it out."""

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Handled by the callback, which is told the cause."""

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Known already: its last result ended it."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Known already: the conductor had it removed."""

    def debug_string(self) -> str:
        """Tune's own progress lines are off."""
        return "greenexp"


class WorkerEvents(Callback):
    """Tells the conductor of workers that start, save or die."""

    def __init__(self, session: TuneSession) -> None:
        self._session = session

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A worker took the trial, for the first time or after a pause."""
        conductor, names = self._session.conductor, trial_names(trial)
        for name in names:
            self._session.silence.began(name, len(names))
            self._session.guard(functools.partial(self._started, conductor, name))

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune asks for a checkpoint only to pause; what a worker saves while it trains on is one of its results."""
        conductor, saved = self._session.conductor, trial.latest_checkpoint_result.metrics[POINTER]
        parked = not is_fused(trial)
        for name, paused in ((trial_names(trial)[0], saved),) if parked else saved:
            self._session.silence.ended(name)
            pause = functools.partial(conductor.paused, name, self._session.attempts[name], parked=parked)
            self._session.guard(functools.partial(pause, paused.epoch, paused.checkpoint, paused.costs))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The worker died. Tune does not try again; the conductor hands its trials out anew."""
        session, names = self._session, trial_names(trial)
        silent = {name: session.given_up.pop(name) for name in names if name in session.given_up}
        for name in names:
            session.silence.ended(name)
        if not silent and session.fate is not None:
            taking = functools.partial(session.fate.takes, names, session.attempts, account_of(trial))
            if session.guard(taking, True):
                return
        cause = cause_of(trial)
        if not silent and any(word in cause for word in MACHINE_TROUBLE):
            session.halt(cause)
            return
        of_memory = not silent and any(word in account_of(trial) for word in MEMORY_TROUBLE)
        if of_memory and len(names) > 1:
            session.conductor.groups.keep_apart(names)
            of_memory = False
        reason = next(iter(silent.values()), abridged(f"the worker died: {cause}"))
        for name in names:
            told = {"of_memory": of_memory, "saved": name in session.leaving}
            session.leaving.discard(name)
            died = functools.partial(session.conductor.worker_died, name, session.attempts[name], reason)
            session.guard(functools.partial(died, **told))

    def _started(self, conductor: Conductor, name: str) -> None:
        checkpoint = conductor.state.trials[name].checkpoint
        conductor.started(name, self._session.attempts[name], checkpoint[0] if checkpoint else 0)
