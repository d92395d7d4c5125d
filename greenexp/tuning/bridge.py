"""The conductor behind Ray Tune's three interfaces: searcher, scheduler and callback.

Tune decides nothing here. The searcher hands out what the conductor says, the scheduler returns the conductor's
action, the callback tells it of workers that start, save or die.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from greenexp.errors import BrokenOffError, GreenexpError, abridged
from greenexp.plan.data import data_key
from greenexp.records.decision import Action
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.tuning.assignment import Assignment, NoTrial
from greenexp.tuning.checkpoints import checkpoint_folder
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.energy import EnergyWatch
from greenexp.tuning.silence import Silence
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
        leaving: those of them that were saved before, as their node will be taken away

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
        took = ((name, record.costs.wall_s) for name, trial in trials for _, _, record in trial.reports)
        self.silence = Silence(no_report_limit_s, ((name, s) for name, s in took if s is not None), expected_report_s)
        self.given_up: dict[str, str] = {}
        self.leaving: set[str] = set()
        self._say_draining = draining
        self.error: GreenexpError | None = None
        self.halted = False
        self.attempts: dict[str, int] = {}
        self.energy: EnergyWatch | None = None

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

    def halt(self, reason: str) -> None:
        """End the session for trouble of the machine, which would fail one trial after another."""
        self.error = self.error or BrokenOffError(reason)
        self.halted = True

    def attempt(self, trial: Trial) -> int:
        """The trial's current attempt, from 1."""
        return self.attempts.get(trial_name(trial), trial.config["attempt"])


def trial_name(trial: Trial) -> str:
    """Our name of Tune's trial."""
    name: str = trial.config["trial"]
    return name


class Feeder(Searcher):
    """Hands the conductor's next trial to Tune, which creates none on its own account."""

    def __init__(self, session: TuneSession) -> None:
        super().__init__()
        self._session = session

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's configuration, None to be asked again, FINISHED when nothing is left."""
        answer = self._session.guard(self._session.conductor.next_trial, NoTrial.DONE)
        if isinstance(answer, Assignment):
            self._session.conductor.reserve(answer.spec.trial)
            self._session.silence.began(answer.spec.trial)
            self._session.attempts[answer.spec.trial] = answer.attempt
            return {
                "trial": answer.spec.trial,
                # As text: Tune keeps copies of what it is given, flattened and not, for as long as the session lasts.
                "spec": json.dumps(answer.spec.to_json(), separators=(",", ":"), allow_nan=False),
                "attempt": answer.attempt,
                "checkpoint": answer.checkpoint,
                "data": data_key(answer.spec.settings),
                "at_once": answer.at_once,
            }
        return None if answer is NoTrial.WAIT else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to learn: the conductor has the record already."""

    def save(self, checkpoint_path: str) -> None:
        """Write nothing: the journal is the only durable state."""

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing."""


class Bridge(TrialScheduler):
    """Takes every result to the conductor and its answer back to Tune."""

    def __init__(self, session: TuneSession, workers: int) -> None:
        super().__init__()
        self._session = session
        self._workers = workers
        self._keeps_workers = False

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Journal, decide, answer."""
        name, attempt = trial_name(trial), self._session.attempt(trial)
        if name in self._session.given_up:  # its last words crossed with the decision
            return str(TrialScheduler.CONTINUE)
        self._session.silence.heard(name)
        answer = self._answer(name, attempt, result)
        if answer == TrialScheduler.STOP:  # one that pauses is watched until it is saved
            self._session.silence.ended(name)
            if self._session.energy is not None:
                self._session.energy.release(name)
        if "leaving" in result and kill_worker(tune_controller, trial):
            self._session.given_up[name] = result["leaving"]
            self._session.leaving.add(name)
        return answer

    def _answer(self, name: str, attempt: int, result: dict[str, Any]) -> str:
        """What becomes of the trial after this result."""
        conductor = self._session.conductor
        if "halt" in result:
            self._session.halt(result["halt"])
            return str(TrialScheduler.STOP)
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
        self._keep_idle_workers(tune_controller)
        _forget_states(tune_controller)
        self._give_up_silent(tune_controller)
        if self._session.halted or (conductor.draining and not conductor.live):
            tune_controller.request_stop_experiment()
            return None
        paused = {trial_name(t): t for t in tune_controller.get_live_trials() if t.status == Trial.PAUSED}
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
        live = {trial_name(trial): trial for trial in tune_controller.get_live_trials()}
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
        conductor, name = self._session.conductor, trial_name(trial)
        checkpoint = conductor.state.trials[name].checkpoint
        after = checkpoint[0] if checkpoint else 0
        self._session.silence.began(name)
        self._session.guard(lambda: conductor.started(name, self._session.attempt(trial), after))

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Tune asks for a checkpoint only to pause; what a worker saves while it trains on is one of its results."""
        conductor, name = self._session.conductor, trial_name(trial)
        epoch = conductor.state.trials[name].reports[-1][2].epoch
        folder = checkpoint_folder(name, epoch)
        self._session.silence.ended(name)
        costs = trial.latest_checkpoint_result.metrics[POINTER].costs
        self._session.guard(lambda: conductor.paused(name, self._session.attempt(trial), epoch, folder, costs))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The worker died. Tune does not try again; the conductor hands the trial out anew."""
        session, name, attempt = self._session, trial_name(trial), self._session.attempt(trial)
        session.silence.ended(name)
        if (silent := session.given_up.pop(name, None)) is not None:
            saved = name in session.leaving
            session.leaving.discard(name)
            session.guard(lambda: session.conductor.worker_died(name, attempt, silent, saved=saved))
            return
        cause = _cause(trial)
        if any(word in cause for word in MACHINE_TROUBLE):
            session.halt(cause)
            return
        of_memory = any(word in _account(trial) for word in MEMORY_TROUBLE)
        reason = abridged(f"the worker died: {cause}")
        session.guard(lambda: session.conductor.worker_died(name, attempt, reason, of_memory=of_memory))


def _forget_states(tune_controller: Any) -> None:
    """Keep Tune from writing down each trial's state as text, which it keeps to the end, for a restore that never is.

    It offers no setting for it. Where a later Ray has renamed the set, the driver takes some KB more per trial.
    """
    changed = getattr(tune_controller, "_trials_to_cache", None)
    if isinstance(changed, set):
        changed.clear()


def kill_worker(tune_controller: Any, trial: Trial) -> bool:
    """Kill the process that has the trial, whatever it is doing; False if none has it.

    Tune has no call for it: its own way to stop a trial waits for the worker to answer.
    """
    tracked = getattr(tune_controller, "_trial_to_actor", {}).get(trial)
    actors = getattr(getattr(tune_controller, "_actor_manager", None), "_live_actors_to_ray_actors_resources", {})
    if tracked not in actors:
        return False
    ray.kill(actors[tracked][0])
    return True


def _cause(trial: Trial) -> str:
    """One line of Ray's account of a worker's death, from its text; the pickled form is not opened."""
    lines = [line.strip() for line in _account(trial).splitlines() if line.strip()]
    return lines[-1].removeprefix("greenexp.errors.")[:500] if lines else "no reason given"


def _account(trial: Trial) -> str:
    """What Ray says of a worker's death."""
    try:
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else ""
    except OSError:
        return ""
