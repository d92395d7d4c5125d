"""What matrix products cost, and which of them a training step makes: the plain data behind every FLOP number.

A model is a chain of blocks: embeddings, layers, and at each exit a pooler and a head. A backbone and a head list their
forward products block by block; a training method lists its passes; `greenexp.meters.flops` adds them up.
Convention: one multiply-add is 2 FLOPs; only matrix products count (no bias, norm, softmax, activation or loss).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """The parts of a multi-exit model that a method trains or leaves alone as a whole."""

    EMBEDDINGS = "embeddings"
    LAYERS = "layers"
    POOLER = "pooler"
    HEADS = "heads"


ALL_PARTS = frozenset(Part)


@dataclass(frozen=True, slots=True)
class MatmulCost:
    """One matrix product in the forward pass of a block, for a whole batch.

    flops: forward FLOPs, 2 x multiply-adds; backward costs as much again per operand that needs a gradient
    weight: True for activation x weight (a linear layer), False for activation x activation (attention)
    inner: True if its input already went through weights of the same block, so that it needs a gradient as soon as the
        block trains; False if its input is the block's own input, which needs one only if something below trains
    table: True if one operand (of a linear layer: its input) comes from a table that is a weight of the block, such as
        relative positions, and not from the block's input: that operand needs a gradient only if the block trains
    unread: True if nobody reads the result, so that no gradient comes back to it
    tied: True if the weight is that of the token embeddings: it gets a gradient if they train
    """

    flops: int
    weight: bool = True
    inner: bool = False
    table: bool = False
    unread: bool = False
    tied: bool = False


BlockCost = tuple[MatmulCost, ...]
"""The products of one block, in any order; empty for a block that only looks up, averages or selects."""


@dataclass(frozen=True, slots=True)
class EncoderCosts:
    """Forward costs of a backbone for one batch shape: `layers[i]` is layer i + 1, `pooler` one application."""

    embeddings: BlockCost
    layers: tuple[BlockCost, ...]
    pooler: BlockCost


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """Forward costs of a multi-exit model for one batch shape.

    exit_layers: layer of each exit, both counted from 1, ascending
    heads: per exit, what is computed there beside the shared pooler
    pooled: per exit, whether the shared pooler's output is read there (else the pooler does not run for it)
    earlier: per exit, whether its head also reads the shared pooling after every layer below; empty: none does
    learned: one application of a learning-to-exit module, which every computed exit makes; empty without one
    """

    encoder: EncoderCosts
    exit_layers: tuple[int, ...]
    heads: tuple[BlockCost, ...]
    pooled: tuple[bool, ...]
    earlier: tuple[bool, ...] = ()
    learned: BlockCost = ()

    def pooled_layers(self, exits: Sequence[int]) -> frozenset[int]:
        """Layers after which the shared pooler runs for `exits`; once each, however many heads read it."""
        layers = {self.exit_layers[number - 1] for number in exits if self.pooled[number - 1]}
        readers = [self.exit_layers[number - 1] for number in exits if self.earlier and self.earlier[number - 1]]
        return frozenset(layers | set(range(1, max(readers, default=0) + 1)))


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass over a step's batch, and the backward passes through it.

    exits: exits (from 1) whose logits are computed; no layer above the last of them runs
    backward: one entry per backward pass: the exits it runs through, i.e. whose loss it starts from (all the computed
        ones if their logits were stacked). Empty for a pass without gradients
    parts: what gets gradients; everything else is frozen, and below it nothing needs a gradient on its account
    batch: 1 for the step's batch, 2 for the second one of a step that has two
    from_memory: the states after the exits' layers were kept from an earlier pass, so that neither embeddings nor
        layers are computed, only poolers and heads
    layers: layers (from 1) that run; None: all up to that of the last exit
    foreign: layers (from 1) in whose stead layers of the teacher run, `each` of them, which never train
    teacher: whether it is a pass of the method's teacher, whose exits `exits` are
    headless: whether neither poolers nor heads run: gradients start from the states after the layers
    scores: layers (from 1) whose attention scores are computed a second time, to be looked at
    projected: layers (0: embeddings) after which the state is projected to the width of the teacher's
    learned: exits (from 1) at which every backward pass also starts from the learning-to-exit module, whether or not it
        starts from their logits
    """

    exits: tuple[int, ...]
    backward: tuple[tuple[int, ...], ...]
    parts: frozenset[Part] = ALL_PARTS
    batch: int = 1
    from_memory: bool = False
    learned: tuple[int, ...] = ()
    layers: tuple[int, ...] | None = None
    foreign: tuple[int, ...] = ()
    each: int = 1
    teacher: bool = False
    headless: bool = False
    scores: tuple[int, ...] = ()
    projected: tuple[int, ...] = ()
