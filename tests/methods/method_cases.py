"""A tiny trial and one row per method: add a row with every method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from greenexp.methods.base import MethodRun, MicroBatch, StepContext
from greenexp.model import MultiExitModel

EPOCHS = 4


@dataclass(frozen=True)
class Case:
    """A method with some hyperparameters, and the weight of every exit in its loss.

    epoch: the weights are those of this epoch; staged: whether the method has more than one stage
    heads_only: whether everything but the heads is frozen then
    """

    fields: dict[str, Any]
    weights: tuple[float, ...]
    exit_layers: object = "all"
    backbone: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=lambda: {"name": "linear", "dropout": 0.0})
    epoch: int = 1
    staged: bool = False
    heads_only: bool = False

    @property
    def trained(self) -> tuple[int, ...]:
        return tuple(number for number, weight in enumerate(self.weights, start=1) if weight > 0)

    def __str__(self) -> str:
        return " ".join([*map(str, self.fields.values()), *([f"epoch {self.epoch}"] if self.staged else [])])


POOLED = {"name": "pooled", "dropout": 0.0}
MIXED = {"name": "mixed_pool"}
ONLY_INTERNAL = {"name": "shallow_deep", "mode": "ic_only"}
MIX = {"name": "scalar_mix", "dropout": 0.0}

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
    Case({"name": "deebert"}, (0, 0, 1), head=POOLED, staged=True),
    Case({"name": "deebert"}, (1, 1, 0), head=POOLED, epoch=3, staged=True, heads_only=True),
    Case({"name": "deebert", "first_epochs": 1}, (1, 1, 0), epoch=2, staged=True, heads_only=True),
    Case(ONLY_INTERNAL, (0, 1), [1, 3], head=MIXED, epoch=2, staged=True),
    Case(ONLY_INTERNAL, (1, 0), [1, 3], head=MIXED, epoch=4, staged=True, heads_only=True),
    Case({"name": "shallow_deep", "mode": "joint"}, (0.01 + 1 / 12, 0.01 + 2 / 12, 1), head=MIXED),
    Case({"name": "shallow_deep", "mode": "joint"}, (0.01 + 3 / 12, 0.01 + 6 / 12, 1), head=MIXED, epoch=3),
    Case({"name": "shallow_deep", "mode": "joint"}, (1 / 3, 2 / 3, 1), epoch=4),
    Case({"name": "righttool"}, (1, 1, 1), head=MIX),
    Case({"name": "righttool", "layers": [2, 3]}, (0, 1, 1), head=MIX, backbone={"pooling": "mean"}),
    Case({"name": "righttool", "layers": [2]}, (1, 0), exit_layers=[2, 3]),
)

WITH_TESTS_OF_THEIR_OWN = {
    "berxit",
    "dbt",
    "distillation",
    "elasticbert",
    "elasticbert_pretraining",
    "ensemble",
    "fastbert",
    "layerdrop",
    "leebert",
    "pkd",
    "romebert",
    "theseus",
    "tinybert",
}
"""Methods whose loss is no fixed sum of the exits' own losses: `test_<name>*.py` holds what CASES would check."""


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

    def check_step(self, found: Tensor, expected: Tensor) -> None:
        """Assert that the step which gave `found` was one update with the loss `expected` and its gradients."""
        gradients = self.gradients()
        self.model.zero_grad()
        expected.backward()
        assert torch.allclose(found, expected.detach(), rtol=1e-12)
        assert self.updates == [found.item()]
        for name, value in self.model.named_parameters():
            reference = value.grad if value.grad is not None else torch.zeros_like(value)
            assert torch.allclose(gradients.get(name, torch.zeros_like(value)), reference, rtol=1e-9, atol=1e-14), name
