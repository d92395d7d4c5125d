"""FLOPs from lists of matrix products: forward, inference at an exit, and training passes. No torch, no model.

Symbols: F = a product's forward FLOPs. A linear layer costs F forward, F more if its weight gets a gradient and F more
if its input needs one; an activation-activation product (QK^T, AV) costs F forward and 2F more if its operands need
gradients. An operand needs a gradient if anything trained lies below it; a position table, if its layers train. Counted
on the padded shapes really computed; gradient checkpointing is not modelled. The counts equal torch's `FlopCounterMode`
over eager attention.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from greenexp.records.costs import BlockCost, ModelCosts, Part, Pass


def block_flops(block: BlockCost) -> int:
    """Forward FLOPs of one block."""
    return sum(product.flops for product in block)


def forward_flops(costs: ModelCosts, exits: Sequence[int]) -> int:
    """FLOPs of one forward pass that evaluates `exits` (numbers from 1) and runs no layer above the last of them.

    With `exits = range(1, e + 1)` this is the price of a dynamic policy that leaves at exit e, with `(e,)` that of
    always answering at e.
    """
    if not exits:
        return 0
    depth = max(costs.exit_layers[number - 1] for number in exits)
    body = block_flops(costs.encoder.embeddings) + sum(map(block_flops, costs.encoder.layers[:depth]))
    return body + _ends_flops(costs, exits)


def _ends_flops(costs: ModelCosts, exits: Sequence[int]) -> int:
    """Forward FLOPs of what sits on the layers: poolers, heads, the learning-to-exit module."""
    poolers = len(costs.pooled_layers(exits)) * block_flops(costs.encoder.pooler)
    return poolers + sum(block_flops(costs.heads[number - 1]) + block_flops(costs.learned) for number in exits)


def training_flops(costs: ModelCosts, passes: Sequence[Pass], frozen: Collection[Part] = ()) -> int:
    """FLOPs of one step's passes over one batch, for the batch shape that `costs` was made for.

    `frozen` is withheld from training on top of what the passes leave out (e.g. frozen embeddings). A step cut into
    micro-batches is the sum of this over the micro-batches' shapes.
    """
    return sum(_pass_flops(costs, one, one.parts - frozenset(frozen)) for one in passes)


def _pass_flops(costs: ModelCosts, one: Pass, trained: frozenset[Part]) -> int:
    if one.layers is not None:
        costs = _with_layers_left_out(costs, one.layers)
    forward = _ends_flops(costs, one.exits) if one.from_memory else forward_flops(costs, one.exits)
    if one.from_memory:
        trained -= {Part.EMBEDDINGS, Part.LAYERS}
    return forward + sum(_backward_flops(costs, exits, trained, one) for exits in one.backward)


def _with_layers_left_out(costs: ModelCosts, layers: Collection[int]) -> ModelCosts:
    """The costs of a pass in which only `layers` (from 1) run, and the state passes the others as it is."""
    blocks = tuple(block if layer in layers else () for layer, block in enumerate(costs.encoder.layers, start=1))
    return replace(costs, encoder=replace(costs.encoder, layers=blocks))


def _backward_flops(costs: ModelCosts, exits: Sequence[int], trained: frozenset[Part], one: Pass) -> int:
    """One backward pass from the losses of `exits`: shared layers and poolers once, the head once per exit.

    one: the pass that it belongs to
    """
    learned = one.learned
    at_layer: dict[int, list[int]] = {}
    for number in {*exits, *learned}:
        at_layer.setdefault(costs.exit_layers[number - 1], []).append(number)
    pooled = costs.pooled_layers(exits) | {costs.exit_layers[number - 1] for number in learned}
    total = _block_backward(costs.encoder.embeddings, Part.EMBEDDINGS in trained, below=False)
    below = Part.EMBEDDINGS in trained
    for layer, block in enumerate(costs.encoder.layers[: max(at_layer, default=0)], start=1):
        trains = Part.LAYERS in trained and layer not in one.foreign
        total += _block_backward(block, trains, below=below)
        below = below or (trains and bool(block))
        if layer in pooled:
            total += _block_backward(costs.encoder.pooler, Part.POOLER in trained, below=below)
        for number in at_layer.get(layer, ()):
            ends = (costs.heads[number - 1],) * (number in exits) + (costs.learned,) * (number in learned)
            under = below or bool(costs.pooled[number - 1] and costs.encoder.pooler and Part.POOLER in trained)
            tied = Part.EMBEDDINGS in trained
            total += sum(_block_backward(end, Part.HEADS in trained, below=under, tied=tied) for end in ends)
    return total


def _block_backward(block: BlockCost, trains: bool, *, below: bool, tied: bool = False) -> int:
    """tied: whether the token embeddings train, of which some product may use the weight."""
    total = 0
    for product in block:
        input_needs_gradient = trains if product.table and product.weight else below or (trains and product.inner)
        other = trains if product.weight or product.table else input_needs_gradient
        other = tied if product.tied else other
        total += product.flops * (0 if product.unread else input_needs_gradient + other)
    return total
