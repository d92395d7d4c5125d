"""FLOPs of a method's passes, those of its teacher included."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from greenexp.meters.flops import training_flops
from greenexp.model import MultiExitModel
from greenexp.records.costs import BlockCost, MatmulCost, ModelCosts, Part, Pass


def passes_flops(
    model: MultiExitModel,
    teacher: MultiExitModel | None,
    shape: tuple[int, int],
    passes: Sequence[Pass],
    frozen: Collection[Part] = (),
) -> int:
    """FLOPs of `passes` over one batch of `shape` (examples, padded length).

    frozen: parts of `model` withheld from training. ValueError for a teacher's pass without one
    """
    own = model.costs(*shape)
    total = 0
    for one in passes:
        if not (one.teacher or one.foreign):
            width = None if teacher is None else teacher.backbone.hidden_size
            widths = None if width is None else (model.backbone.hidden_size, width)
            total += training_flops(_observed(own, one, shape, widths), (one,), frozen)
            continue
        if teacher is None:
            raise ValueError("a pass through a teacher that the method does not have")
        taught = teacher.costs(*shape)
        costs = _observed(taught, one, shape) if one.teacher else _mixed(own, taught, one)
        total += training_flops(costs, (one,), () if one.teacher else frozen)
    return total


def _observed(
    costs: ModelCosts, one: Pass, shape: tuple[int, int], widths: tuple[int, int] | None = None
) -> ModelCosts:
    """`costs` with what a pass computes beside the layers, and without what it leaves out.

    widths: of the states and of the teacher's
    """
    layers = list(costs.encoder.layers)
    for layer in one.scores:
        first = next(product for product in layers[layer - 1] if not product.weight)  # queries times keys
        layers[layer - 1] += (first,)
    for layer in one.projected:
        if widths is None:
            raise ValueError("states are projected to the width of a teacher that the method does not have")
        flops = 2 * math.prod(shape) * math.prod(widths)
        # Of the embeddings it is counted with the first layer, since it trains where the embeddings do not.
        layers[max(layer, 1) - 1] += (MatmulCost(flops, inner=layer > 0),)
    costs = replace(costs, encoder=replace(costs.encoder, layers=tuple(layers)))
    if not one.headless:
        return costs
    count = len(costs.heads)
    return replace(costs, heads=((),) * count, pooled=(False,) * count, earlier=(), learned=())


def _mixed(own: ModelCosts, teacher: ModelCosts, one: Pass) -> ModelCosts:
    """`own` with layers of the teacher in the place of those that are foreign."""
    blocks: list[BlockCost] = list(own.encoder.layers)
    for layer in one.foreign:
        module = slice((layer - 1) * one.each, layer * one.each)
        blocks[layer - 1] = sum(teacher.encoder.layers[module], start=())
    return replace(own, encoder=replace(own.encoder, layers=tuple(blocks)))
