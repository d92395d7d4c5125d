"""Dropout of several seeds in one batch, each drawn from its own generator as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from greenexp.errors import TrialError
from greenexp.training.pieces import DRAWS


class StackedDraws(TorchFunctionMode):
    """While it is entered, a dropout mask is put together from one per seed, of the shape of that seed's own batch.

    On a CPU the masks are those that the seed would draw alone. On a GPU they are other masks of the same distribution,
    as torch draws there within its kernels. What is padding for one seed and not for another is not dropped out.

    generators: one per seed, on the device
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self._generators = generators
        self._own: Sequence[tuple[int, int]] = ()
        self._examples = self._length = 0

    def begin(self, own: Sequence[tuple[int, int]], examples: int, length: int) -> None:
        """What follows is a batch of `examples` examples of `length` tokens per seed.

        own: per seed (examples, tokens) of these that it would have alone; (0, 0) for one that has no batch
        """
        self._own, self._examples, self._length = own, examples, length

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What torch calls in the place of each of its functions."""
        options = kwargs or {}
        if func is functional.dropout:
            return self._dropout(*args, **options)
        if func is functional.scaled_dot_product_attention:
            return self._attention(*args, **options)
        if getattr(func, "__name__", "") in DRAWS:
            raise TrialError(f"the model draws by {func.__name__}, so that its seeds cannot be trained as one")
        return func(*args, **options)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return values
        if values.shape[0] != len(self._own) * self._examples:
            raise TrialError("dropout of something else than a tensor of examples: its seeds cannot be trained as one")
        mask = self._mask(values, p)
        return values.mul_(mask) if inplace else values * mask

    def _mask(self, values: Tensor, p: float) -> Tensor:
        """Of all seeds. The axes of tokens are cut to the seed's own: the second one of three, the last two of four."""
        shape = values.shape[1:]
        tokens = [axis for axis in {2: (0,), 3: (1, 2)}.get(len(shape), ()) if shape[axis] == self._length]
        masks = values.new_ones((len(self._own), self._examples, *shape))
        for mask, generator, (examples, length) in zip(masks, self._generators, self._own, strict=True):
            if examples == 0:
                continue
            own = [length if axis in tokens else size for axis, size in enumerate(shape)]
            place = tuple(slice(size) for size in (examples, *own))
            mask[place] = values.new_empty((examples, *own)).bernoulli_(1 - p, generator=generator).div_(1 - p)
        return masks.flatten(0, 1)

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        """softmax(Q K^T / sqrt(d) + mask), dropped out, times V; without dropout torch's own kernel."""
        if dropout_p == 0:
            return functional.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, **options)
        if is_causal or options.get("enable_gqa"):
            raise TrialError("dropout of causal or grouped attention: its seeds cannot be trained as one")
        scale = options.get("scale")
        scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if attn_mask is not None:
            is_bool = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, -math.inf) if is_bool else scores + attn_mask
        weights = torch.softmax(scores, dim=-1)
        return self._dropout(weights, dropout_p).to(value.dtype) @ value
