"""The model of a report: what a compression leaves of the one that trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from greenexp.compression.base import Compression, ReportContext
from greenexp.meters.flops import training_flops
from greenexp.model import MultiExitModel
from greenexp.model.reduction import reduced
from greenexp.objectives import exit_losses
from greenexp.records.costs import Part
from greenexp.replay.record import ExitCosts
from greenexp.training.epoch import EpochTrainer
from greenexp.training.inputs import Reader
from greenexp.training.precision import autocast


@dataclass(frozen=True, eq=False)
class ReportedModel:
    """What is scored, saved and served after a report.

    exits: those of it that were trained; dev_lengths: tokens of each dev example
    flops: of the passes by which it was chosen what goes
    """

    model: MultiExitModel
    exits: tuple[int, ...]
    dev_lengths: object
    flops: float = 0.0
    _inference_flops: dict[int, float] = field(default_factory=dict)
    _exit_costs: dict[tuple[int, ...], ExitCosts] = field(default_factory=dict)

    def inference_flops(self, exit_number: int) -> float:
        """Mean FLOPs per dev example, at its real length, of always answering at this exit."""
        if exit_number not in self._inference_flops:
            found = float(self.model.inference_flops(self.dev_lengths, exit_number).mean())  # type: ignore[arg-type]
            self._inference_flops[exit_number] = found
        return self._inference_flops[exit_number]

    def exit_costs(self) -> ExitCosts:
        """What leaving at each of its exits costs at every length that occurs on dev."""
        if self.exits not in self._exit_costs:
            found = self.model.exit_costs(self.dev_lengths, self.exits)  # type: ignore[arg-type]
            self._exit_costs[self.exits] = found
        return self._exit_costs[self.exits]


def compressed(
    compression: Compression, trainer: EpochTrainer, exits: tuple[int, ...], whole: ReportedModel
) -> ReportedModel:
    """What `compression` leaves of the trainer's model, whose trained exits are `exits`; `whole` if that is all of it.

    Draws nothing, and changes nothing of the model that trains: its mode, its gradients, what needs them.
    """
    model = trainer.model
    was_training, needed = model.training, [parameter.requires_grad for parameter in model.parameters()]
    model.eval()
    rows = np.argsort(trainer.split.lengths, kind="stable")[: compression.examples]
    try:
        context = ReportContext(model.backbone, lambda: _losses(trainer, exits, rows))
        cut = compression.cut(context)
        if cut is None:
            return whole
        smaller, left = reduced(model, cut, exits)
    finally:
        model.train(was_training)
        for parameter, needs in zip(model.parameters(), needed, strict=True):
            parameter.requires_grad_(needs)
            parameter.grad = None
    passes, size = compression.passes(exits), trainer.training.evaluation_batch_size
    shapes = [(len(some), int(trainer.split.lengths[some].max())) for some in _pieces(rows, size)] if passes else []
    flops = sum(training_flops(model.costs(*shape), passes) for shape in shapes)
    return ReportedModel(smaller, left, whole.dev_lengths, float(flops))


def _losses(trainer: EpochTrainer, exits: tuple[int, ...], rows: np.ndarray) -> Iterator[Tensor]:
    """See `ReportContext.losses`. The embeddings need gradients so that one flows through every layer."""
    model = trainer.model
    with torch.enable_grad():
        model.train_only({Part.EMBEDDINGS}, ())
        for some in _pieces(rows, trainer.training.evaluation_batch_size):
            batch = Reader(trainer.device, trainer.reader.pad_id).read(trainer.split, some)
            with autocast(trainer.precision, trainer.device):
                logits = model(batch.inputs, exits)
            yield exit_losses(logits, batch.labels).sum() * len(some)


def _pieces(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
