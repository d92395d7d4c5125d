"""An epoch that has begun: which of its steps are made, and what no report covers yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from greenexp.training.isolation import GeneratorStates

_LOSSES, _GENERATOR = "under_way.losses", "under_way.generator."


@dataclass(eq=False, slots=True)
class EpochUnderWay:
    """Where an epoch stands between two of its steps.

    epoch: from 1; steps: of it that are made
    losses: objective x examples, examples, flops: of the steps since the last report
    generators: where the random number generators stand; None before the first step
    prepared: whether the method has prepared the epoch in this process
    """

    epoch: int
    steps: int = 0
    losses: list[Tensor] = field(default_factory=list)
    examples: int = 0
    flops: float = 0.0
    generators: GeneratorStates | None = None
    prepared: bool = False

    def note_step(self, loss: Tensor, examples: int) -> None:
        """One more step, with the mean objective over its examples."""
        self.steps += 1
        self.losses.append(loss * examples)
        self.examples += examples

    @property
    def train_loss(self) -> float:
        """Mean objective over the examples since the last report."""
        return float(torch.stack(self.losses).double().sum()) / self.examples

    def begin_report(self) -> None:
        """What came so far is reported: count anew."""
        self.losses, self.examples, self.flops = [], 0, 0.0

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain JSON values; `of_state` is the inverse."""
        tensors = {_LOSSES: torch.stack(self.losses)} if self.losses else {}
        plain: dict[str, Any] = {name: getattr(self, name) for name in ("epoch", "steps", "examples", "flops")}
        if self.generators is not None:
            tensors |= {_GENERATOR + name: value for name, value in self.generators.tensors().items()}
            plain["generators"] = self.generators.plain()
        return tensors, plain

    @classmethod
    def of_state(cls, tensors: Mapping[str, Tensor], plain: Mapping[str, Any], device: torch.device) -> EpochUnderWay:
        """The epoch that `state` wrote. Raises KeyError, TypeError or ValueError if it is something else."""
        found = {name.removeprefix(_GENERATOR): value for name, value in tensors.items() if name.startswith(_GENERATOR)}
        losses = tensors[_LOSSES].clone().to(device).unbind() if _LOSSES in tensors else ()
        return cls(
            epoch=int(plain["epoch"]),
            steps=int(plain["steps"]),
            losses=list(losses),
            examples=int(plain["examples"]),
            flops=float(plain["flops"]),
            generators=GeneratorStates.of(found, plain["generators"]) if found else None,
        )
