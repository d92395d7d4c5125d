"""What is read and changed of Tune's own objects, where it has no call for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.tune.experiment import Trial


def forget_states(tune_controller: Any) -> None:
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


def end_idle_workers(tune_controller: Any) -> None:
    """Kill the workers that wait for their next trial.

    Tune has no call for it. Where a later Ray has renamed the cache, they live on.
    """
    cache = getattr(tune_controller, "_actor_cache", None)
    manager = getattr(tune_controller, "_actor_manager", None)
    if cache is None or manager is None:
        return
    for tracked in list(cache.flush_cached_objects(force_all=True)):
        tracked.set_on_stop(None)  # as Tune does where no trial is to be told
        tracked.set_on_error(None)
        manager.remove_actor(tracked, kill=True)


def cause_of(trial: Trial) -> str:
    """One line of Ray's account of a worker's death, from its text; the pickled form is not opened."""
    lines = [line.strip() for line in account_of(trial).splitlines() if line.strip()]
    return lines[-1].removeprefix("greenexp.errors.")[:500] if lines else "no reason given"


def account_of(trial: Trial) -> str:
    """What Ray says of a worker's death."""
    try:
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else ""
    except OSError:
        return ""
