"""First-order importance of parts of a layer, from the gradient of the loss with respect to what they put out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

Per = Literal["token", "example"]


def importances(
    readers: Sequence[nn.Linear], groups: Sequence[int], losses: Callable[[], Iterator[Tensor]], per: Per
) -> list[Tensor]:
    """Per layer [group], float64 on the CPU: how much the loss depends on each group, summed over the examples.

    A linear layer reads contexts c, cut into `groups` parts of equal width. With dL/dc from the backward pass
    I_g = sum over examples and tokens |<c_g, dL/dc_g>| (`token`), or with the sum over the tokens inside the bars
    (`example`). <c_g, dL/dc_g> is the derivative of L with respect to a factor on c_g at 1, so I_g estimates how much
    the loss changes without the group (Michel et al. 2019, eq. 2; Molchanov et al. 2017).

    readers, groups: one of each per layer; losses: see `ReportContext`
    """
    total: list[Tensor | None] = [None] * len(readers)
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        inputs[0].retain_grad()
        seen.append(inputs[0])

    hooks = [reader.register_forward_pre_hook(keep) for reader in readers]
    try:
        for loss in losses():
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            for index, (context, count) in enumerate(zip(seen, groups, strict=True)):
                found = _of_batch(context, count, per)
                total[index] = found if (before := total[index]) is None else before + found
            seen.clear()
    finally:
        for hook in hooks:
            hook.remove()
    return [torch.zeros(count).double() if one is None else one for one, count in zip(total, groups, strict=True)]


def _of_batch(context: Tensor, groups: int, per: Per) -> Tensor:
    gradient = torch.zeros_like(context) if context.grad is None else context.grad
    examples, tokens, width = context.shape
    laid_out = (context.detach() * gradient).double().view(examples, tokens, groups, width // groups)
    products = laid_out.sum(dim=-1)
    each = products.abs().sum(dim=1) if per == "token" else products.sum(dim=1).abs()
    found: Tensor = each.sum(dim=0).cpu()
    return found


def kept_groups(scores: Sequence[Tensor], removed: int, least: int, *, normalised: bool) -> tuple[tuple[int, ...], ...]:
    """Per layer the groups that stay, rising: the `removed` least important of all layers go, one after the other.

    At least `least` of each layer stay: a group that must stay is passed over. Of equal importances the group of the
    lowest layer, and there the first one, goes first.
    normalised: whether each layer's importances are first divided by their Euclidean norm, so that layers compare
    """
    if normalised:
        scores = [one / norm if (norm := float(torch.linalg.vector_norm(one))) > 0 else one for one in scores]
    ranked = sorted((float(value), layer, group) for layer, one in enumerate(scores) for group, value in enumerate(one))
    stay = [set(range(len(one))) for one in scores]
    for _, layer, group in ranked:
        if removed > 0 and len(stay[layer]) > least:
            stay[layer].discard(group)
            removed -= 1
    return tuple(tuple(sorted(each)) for each in stay)


def removable(counts: Sequence[int], share: float, least: int) -> int:
    """How many of all groups go: `share` of them, rounded half up, as far as `least` of each layer can stay."""
    wanted = int(share * sum(counts) + 0.5)
    return min(wanted, sum(max(count - least, 0) for count in counts))
