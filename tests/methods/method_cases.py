"""A tiny trial and one row per method: add a row with every method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from greenexp.methods.base import MethodRun, MicroBatch, StepContext
from greenexp.model import MultiExitModel

EPOCHS = 4


@dataclass(frozen=True)
class Case:
    """A method with some hyperparameters, and the weight of every exit in its loss."""

    fields: dict[str, Any]
    weights: tuple[float, ...]
    exit_layers: object = "all"
    backbone: dict[str, Any] = field(default_factory=dict)

    @property
    def trained(self) -> tuple[int, ...]:
        return tuple(number for number, weight in enumerate(self.weights, start=1) if weight > 0)

    def __str__(self) -> str:
        return " ".join(map(str, self.fields.values()))


CASES = (
    Case({"name": "branchynet"}, (1, 1, 1)),
    Case({"name": "branchynet", "weights": "linear"}, (1 / 3, 2 / 3, 1)),
    Case({"name": "branchynet", "weights": [0.5, 2.0]}, (0.5, 2), exit_layers=[1, 3]),
    Case({"name": "branchynet", "weights": [3, 0.25, 0]}, (3, 0.25, 0)),
    Case({"name": "branchynet", "weights": [0, 0, 1]}, (0, 0, 1)),
    Case({"name": "pabee"}, (1 / 6, 2 / 6, 3 / 6)),
    Case({"name": "pabee"}, (1 / 3, 2 / 3), exit_layers=[2, 3], backbone={"pooling": "mean"}),
    Case({"name": "finetune"}, (0, 0, 1)),
    Case({"name": "finetune", "layers": 2}, (0, 1)),
    Case({"name": "finetune", "layers": 2}, (0, 1), exit_layers=[1, 3], backbone={"pooling": "cls"}),
)


@dataclass
class Trial:
    """A model, its method's run, and a step of a bare trainer."""

    model: MultiExitModel
    run: MethodRun
    updates: list[float] = field(default_factory=list)

    def context(self, batch: list[MicroBatch], epoch: int = 1, step: int = 0) -> StepContext:
        return StepContext(self.model, epoch, step, batch, lambda loss: self.updates.append(loss.item()))

    def gradients(self) -> dict[str, Tensor]:
        return {name: value.grad for name, value in self.model.named_parameters() if value.grad is not None}
