"""One pass over a split: what all trained exits say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from greenexp.errors import InputError
from greenexp.meters.flops import forward_flops
from greenexp.model import MultiExitModel
from greenexp.objectives.masked import masked_token_loss, masked_tokens
from greenexp.tasks.batches import dev_batches
from greenexp.tasks.masking import Masking
from greenexp.tasks.prepared import PreparedSplit
from greenexp.training.inputs import Reader
from greenexp.training.precision import Precision, autocast


@dataclass(frozen=True, slots=True)
class TokenScore:
    """How an exit predicted masked tokens: the mean cross-entropy in nats, and the share predicted right."""

    loss: float
    accuracy: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the exits said, examples in the order of the split.

    logits: float32 [exit, example, class]; flops: of the padded pass
    learned: float32 [exit, example], what the learning-to-exit module said; None for a model without one
    tokens: per exit, how it predicted the masked tokens; None for a model that predicts none, or a task that masks none
    """

    logits: npt.NDArray[np.float32]
    flops: float
    learned: npt.NDArray[np.float32] | None = None
    tokens: tuple[TokenScore, ...] | None = None


def evaluate(
    model: MultiExitModel,
    split: PreparedSplit,
    *,
    exits: tuple[int, ...],
    batch_size: int,
    pad_id: int,
    precision: Precision,
    device: torch.device,
    masking: Masking | None = None,
) -> Evaluation:
    """What `exits` (numbers from 1) say of every example, without dropout. The model's mode is put back.

    masking: of the task, for a model that predicts tokens: an example's masks are the same at every evaluation
    """
    was_training = model.training
    model.eval()
    logits = np.empty((len(exits), len(split), model.num_labels), dtype=np.float32)
    learned = None if model.learned is None else np.empty(logits.shape[:2], dtype=np.float32)
    masking = masking if model.predicts_tokens else None
    tokens = None if masking is None else _Tokens(len(exits))
    reader = Reader(device, pad_id, masking)
    flops = 0
    try:
        with torch.inference_mode():
            for indices in dev_batches(split.lengths, batch_size):
                batch = reader.read(split, indices)
                with autocast(precision, device):
                    out = model.outputs(batch.inputs, exits)
                if tokens is not None and out.tokens is not None and batch.targets is not None:
                    tokens.add(out.tokens, batch.targets)
                logits[:, indices] = torch.stack(out.logits).float().cpu().numpy()
                if learned is not None and out.learned is not None:
                    learned[:, indices] = torch.stack(out.learned).float().cpu().numpy()
                flops += forward_flops(model.costs(*batch.inputs.shape), exits)
    finally:
        model.train(was_training)
    return Evaluation(logits, float(flops), learned, None if tokens is None else tokens.scores())


class _Tokens:
    """Sums over the masked tokens of all batches, per exit."""

    def __init__(self, exits: int) -> None:
        self._losses, self._right, self._count = [0.0] * exits, [0] * exits, 0

    def add(self, logits: Sequence[torch.Tensor], targets: torch.Tensor) -> None:
        """logits: per exit [example, place, token id]; targets: [example, place]."""
        self._count += int(masked_tokens(targets))
        for number, one in enumerate(logits):
            self._losses[number] += float(masked_token_loss(one, targets))
            self._right[number] += int((one.argmax(dim=-1) == targets).sum())

    def scores(self) -> tuple[TokenScore, ...]:
        """Raises InputError where there was none."""
        if self._count == 0:
            raise InputError("the dev examples hold no token that can be masked: all their words are unknown")
        return tuple(
            TokenScore(loss / self._count, right / self._count)
            for loss, right in zip(self._losses, self._right, strict=True)
        )
