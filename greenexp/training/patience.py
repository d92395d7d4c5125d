"""When a trial ends before its last epoch: its dev score has not improved for several epochs in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.methods.base import MethodRun
from greenexp.records.sections import Metric, Training
from greenexp.training.scoring import is_better


@dataclass(eq=False, slots=True)
class TrialPatience:
    """Epochs without a better dev score, counted within the last stage of a method.

    epochs: how many in a row end the trial; None: it is never ended; first_epoch: of the last stage
    best: the best score within that stage so far; without_gain: epochs since it was reached

    Scores before the last stage neither count nor set the mark: a first stage may be scored over other exits, and a
    trial that ended in it would lack what the later stages train. A tie is no improvement. The learning rate follows
    the schedule of the full training, whenever the trial ends. Only scores at the ends of epochs count: a trial ends
    where it would have ended without reports within its epochs.
    """

    epochs: int | None
    first_epoch: int
    metric: Metric
    best: float | None = None
    without_gain: int = 0

    @classmethod
    def of(cls, training: Training, metric: Metric, method: MethodRun) -> TrialPatience:
        """The patience that the section `training` asks for."""
        return cls(training.patience, method.stage(training.epochs).first_epoch, metric)

    def note(self, epoch: int, score: float) -> None:
        """Take in the dev score of `epoch`; every epoch once, in order."""
        if epoch < self.first_epoch:
            return
        if is_better(score, self.best, self.metric):
            self.best, self.without_gain = score, 0
        else:
            self.without_gain += 1

    @property
    def exhausted(self) -> bool:
        """Whether the trial ends here."""
        return self.epochs is not None and self.without_gain >= self.epochs

    def state(self) -> dict[str, Any]:
        """Plain values; `restore` is the inverse."""
        return {"best": self.best, "without_gain": self.without_gain}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Count on from a `state`."""
        best = state["best"]
        self.best, self.without_gain = None if best is None else float(best), int(state["without_gain"])
