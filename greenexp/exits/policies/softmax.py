"""How sure logits are: the largest class probability, and the entropy. float64 inside, float32 out, no synchronisation.

Two implementations of exp differ in the last bits of float64, but rounded to float32 then practically never, which
makes a policy and its replay over recorded logits (`greenexp.replay.softmax`) decide alike on any device.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from greenexp.errors import InputError

COMPARE: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
}
"""With a threshold of NaN none of them holds."""


def max_probability(logits: Tensor) -> Tensor:
    """float32 [...]: largest softmax probability of `logits` [..., class]; NaN where a logit is NaN or infinite."""
    if logits.shape[-1] < 2:
        raise InputError("max_probability needs at least two classes: a regression output has no confidence")
    # As few operations as will do: on one example each costs far more than it computes. In float64 the sum of finite
    # logits is finite, so 0 times it is 0, and else NaN.
    largest = torch.softmax(logits, dim=-1, dtype=torch.float64).amax(dim=-1)
    return (largest + 0 * logits.sum(dim=-1, dtype=torch.float64)).float()


def entropy(logits: Tensor, normalised: bool = False) -> Tensor:
    """float32 [...]: entropy of softmax of `logits` [..., class], nats or a share of ln K; NaN where one is not finite.

    s = z - max z, R = the sum of e^s over all classes but one largest, H = ln(1 + R) + sum_k(-s_k e^s_k) / (1 + R).
    No term is negative and no exp is above 1, so nothing overflows or cancels; what underflows counts 0.
    """
    if logits.shape[-1] < 2:
        raise InputError(
            "entropy needs at least two classes: that of a regression output is always 0, so all would leave at once"
        )
    values = logits.double()
    shifted = values - values.amax(dim=-1, keepdim=True)
    largest, shares = shifted == 0, shifted.exp()
    rest = shares.where(~largest, 0).sum(dim=-1) + (largest.sum(dim=-1) - 1)
    nats = rest.log1p() - (shifted * shares).sum(dim=-1) / (1 + rest)
    if normalised:
        nats = nats / torch.full_like(nats, math.log(logits.shape[-1]))  # by a number, a GPU multiplies by 1 / it
    return (nats + 0 * values.sum(dim=-1)).float()
