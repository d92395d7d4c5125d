"""FLOPs of a method's passes, those of its teacher included."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from greenexp.meters.flops import training_flops
from greenexp.model import MultiExitModel
from greenexp.records.costs import BlockCost, ModelCosts, Part, Pass


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
            total += training_flops(own, (one,), frozen)
            continue
        if teacher is None:
            raise ValueError("a pass through a teacher that the method does not have")
        taught = teacher.costs(*shape)
        costs = taught if one.teacher else _mixed(own, taught, one.foreign)
        total += training_flops(costs, (one,), () if one.teacher else frozen)
    return total


def _mixed(own: ModelCosts, teacher: ModelCosts, foreign: Collection[int]) -> ModelCosts:
    """`own` with the modules of the teacher, as many layers each as there are per layer, in the place of `foreign`."""
    each = len(teacher.encoder.layers) // len(own.encoder.layers)
    blocks: list[BlockCost] = list(own.encoder.layers)
    for layer in foreign:
        blocks[layer - 1] = sum(teacher.encoder.layers[(layer - 1) * each : layer * each], start=())
    return replace(own, encoder=replace(own.encoder, layers=tuple(blocks)))
