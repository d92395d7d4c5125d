"""Workers of `orchestration.py` that train nothing."""

from __future__ import annotations

from typing import Any

from ray import tune

from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.tuning.worker import TrialWorker


class StubRun:
    """A `TrialRun` whose epochs are over at once."""

    def __init__(self, epochs: int) -> None:
        self.epochs, self.epoch = epochs, 0

    def train_on(self, _save_due: Any) -> EpochRecord:
        """The next report."""
        self.epoch += 1
        return EpochRecord(
            epoch=self.epoch, step=4 * self.epoch, examples=64, train_loss=0.5, learning_rate=1e-4,
            score=0.5, best_score=0.5, exits=(ExitScore(1, 1, {"accuracy": 0.5, "loss": 0.7}, 1e6),),
            costs=Costs(wall_s=0.001, cpu_s=0.001, train_flops=1e9, eval_flops=1e8), last=self.epoch == self.epochs,
            encoder_layers=1, parameters=1000,
        )  # fmt: skip

    def close(self) -> None:
        """Nothing is open."""


class StubWorker(TrialWorker):
    """greenexp's worker without a model."""

    def _training(self) -> Any:
        if self._run is None:
            self._run = StubRun(self._trial.settings.training.epochs)  # type: ignore[assignment]
        return self._run


class PlainTrainable(tune.Trainable):
    """What Tune's documentation would have one write."""

    def step(self) -> dict[str, float]:
        """A report."""
        return {"score": 0.5}

    def reset_config(self, _new_config: dict[str, Any]) -> bool:
        """Take the next trial."""
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to save."""
