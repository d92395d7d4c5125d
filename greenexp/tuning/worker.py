"""The actor that trains: a class Trainable around `TrialTaker`, reused for one trial after another."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from typing import Any

from ray import tune

from greenexp.plan.plugins import add_plugins
from greenexp.tuning.nodes import check_worker
from greenexp.tuning.notices import LeavingNotice
from greenexp.tuning.taker import PausedTrial, TrialTaker, WorkerSettings

POINTER = "greenexp_checkpoint"
"""The key of what was paused in what Tune keeps of it: a `PausedTrial`, or pairs of a trial's name and its own."""

_UNREAD = frozenset({
    "config", "date", "hostname", "iterations_since_restore", "node_ip", "pid", "time_since_restore", "timestamp",
})  # fmt: skip


class LeanTrainable(tune.Trainable):
    """Tune's class without what it does that nobody reads."""

    def train(self) -> dict[str, Any]:
        """Tune's call of `step`, without what it adds: it keeps statistics of every number.

        The settings come back with every result, too.
        """
        result: dict[str, Any] = super().train()
        return {name: value for name, value in result.items() if name not in _UNREAD}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Save to pause. Tune itself would copy what is saved into a folder that every node has to share."""
        storage: Any = self._storage
        self._storage: Any = None
        try:
            with tempfile.TemporaryDirectory() as scratch:
                saved = super().save(scratch)
        finally:
            self._storage = storage
        saved.metrics[POINTER] = self.paused()
        return saved

    @abstractmethod
    def paused(self) -> Any:
        """What the driver must know of what `save_checkpoint` has saved."""


def begin_worker(settings: WorkerSettings) -> LeavingNotice | None:
    """What a worker's process needs before its first trial."""
    if settings.driver is not None:
        check_worker(settings.driver)
    add_plugins(settings.plugins)
    return None if settings.driver is None else LeavingNotice.of_this_node()


class TrialWorker(TrialTaker, LeanTrainable):
    """One slot of the sweep, with one trial at a time."""

    def setup(self, config: dict[str, Any], settings: WorkerSettings) -> None:
        """Ray's constructor: remember what all trials share, then take the first one."""
        self.equip(settings, {}, begin_worker(settings))
        self.take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Drop the last trial and take another one."""
        self.drop()
        self.take(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """See `TrialTaker.pause`."""
        self._paused = self.pause()

    def paused(self) -> PausedTrial:
        """See `LeanTrainable.paused`."""
        return self._paused

    def restore(self, checkpoint_path: Any) -> None:
        """Go on, at the next step, from what `save` has saved."""
        found: PausedTrial = checkpoint_path.metrics[POINTER]
        self._checkpoint, self._at_once = found.checkpoint, found.at_once

    def cleanup(self) -> None:
        """Ray is done with this actor."""
        self.drop()
        self._settings.results.close()
