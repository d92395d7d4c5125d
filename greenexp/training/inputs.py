"""From rows of a split to what a model is asked: tokens, padded and perhaps masked, or pixels, perhaps augmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from greenexp.backbones.base import InputBatch, PixelBatch, TokenBatch
from greenexp.tasks.augmentation import Augmentation
from greenexp.tasks.batches import Indices, pad
from greenexp.tasks.masking import OF_DEV, Masking
from greenexp.tasks.pixels import PixelSplit
from greenexp.tasks.prepared import PreparedSplit


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Some examples of a split on a device.

    labels: [example]; targets: as in `methods.base.MicroBatch`
    """

    inputs: InputBatch
    labels: Tensor
    targets: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Reader:
    """How examples are read.

    pad_id: of texts; masking, augmentation: what is drawn for an example, by seed, epoch and its number; None: nothing
    """

    device: torch.device
    pad_id: int = 0
    masking: Masking | None = None
    augmentation: Augmentation | None = None

    def read(
        self, split: PreparedSplit, indices: Indices, *, drawn_by: tuple[int, int] = OF_DEV, least: int = 0
    ) -> ReadBatch:
        """The examples `indices`, in that order.

        drawn_by: seed and epoch of what is drawn; least: tokens that texts are padded to, if none is longer
        """
        if isinstance(split, PixelSplit):
            return self._pixels(split, indices, drawn_by)
        batch = pad(split, indices, self.pad_id, least=least)
        ids, places, targets = batch.input_ids, None, None
        if self.masking is not None:
            masked = self.masking.masked(ids, batch.lengths, split.numbers(indices), *drawn_by)
            ids, places, targets = masked.input_ids, masked.places, self._there(masked.targets)
        tokens = TokenBatch(self._there(ids), *map(self._optional, (batch.attention_mask, batch.type_ids, places)))
        return ReadBatch(tokens, self._there(batch.labels), targets)

    def _pixels(self, split: PixelSplit, indices: Indices, drawn_by: tuple[int, int]) -> ReadBatch:
        pixels = split.images(indices)
        if self.augmentation is not None:
            pixels = self.augmentation.applied(pixels, split.numbers(indices), *drawn_by)
        return ReadBatch(PixelBatch(self._there(pixels)), self._there(split.labels[indices]))

    def _there(self, array: npt.NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor if self.device.type == "cpu" else tensor.to(self.device, non_blocking=True)

    def _optional(self, array: npt.NDArray[Any] | None) -> Tensor | None:
        return None if array is None else self._there(array)
