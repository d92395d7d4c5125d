"""One pass over a split: what all trained exits say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.meters.flops import forward_flops
from greenexp.model import MultiExitModel
from greenexp.tasks.batches import PaddedBatch, dev_batches, pad
from greenexp.tasks.tokens import TokenisedSplit
from greenexp.training.precision import Precision, autocast


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the exits said, examples in the order of the split.

    logits: float32 [exit, example, class]; flops: of the padded pass
    learned: float32 [exit, example], what the learning-to-exit module said; None for a model without one
    """

    logits: npt.NDArray[np.float32]
    flops: float
    learned: npt.NDArray[np.float32] | None = None


def evaluate(
    model: MultiExitModel,
    split: TokenisedSplit,
    *,
    exits: tuple[int, ...],
    batch_size: int,
    pad_id: int,
    precision: Precision,
    device: torch.device,
) -> Evaluation:
    """What `exits` (numbers from 1) say of every example, without dropout. The model's mode is put back."""
    was_training = model.training
    model.eval()
    logits = np.empty((len(exits), len(split), model.num_labels), dtype=np.float32)
    learned = None if model.learned is None else np.empty(logits.shape[:2], dtype=np.float32)
    flops = 0
    try:
        with torch.inference_mode():
            for indices in dev_batches(split.lengths, batch_size):
                batch = pad(split, indices, pad_id)
                with autocast(precision, device):
                    out = model.outputs(to_tokens(batch, device), exits)
                logits[:, indices] = torch.stack(out.logits).float().cpu().numpy()
                if learned is not None and out.learned is not None:
                    learned[:, indices] = torch.stack(out.learned).float().cpu().numpy()
                flops += forward_flops(model.costs(*batch.input_ids.shape), exits)
    finally:
        model.train(was_training)
    return Evaluation(logits, float(flops), learned)


def to_tokens(batch: PaddedBatch, device: torch.device) -> TokenBatch:
    """The batch's ids as tensors on `device`."""

    def tensor(array: npt.NDArray[Any] | None) -> torch.Tensor | None:
        return None if array is None else torch.from_numpy(array)

    tokens = TokenBatch(torch.from_numpy(batch.input_ids), tensor(batch.attention_mask), tensor(batch.type_ids))
    return tokens if device.type == "cpu" else tokens.to(device, non_blocking=True)
