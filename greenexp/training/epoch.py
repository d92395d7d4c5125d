"""One epoch of training: batches in, steps by the method, FLOPs by the padded shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from greenexp.backbones.base import TokenBatch
from greenexp.meters.flops import training_flops
from greenexp.meters.measure import Meters
from greenexp.methods.base import MethodRun, MicroBatch, StepContext
from greenexp.model import MultiExitModel
from greenexp.records.costs import Part, Pass
from greenexp.spec.sections import Training
from greenexp.tasks.batches import Indices, epoch_batches, pad
from greenexp.tasks.tokens import TokenisedSplit
from greenexp.training.evaluation import to_tokens
from greenexp.training.optimisation import Optimisation
from greenexp.training.precision import Precision, autocast


@dataclass(frozen=True, slots=True)
class Trained:
    """loss: mean objective over the examples seen; examples: how many; flops: of all passes, padded shapes."""

    loss: float
    examples: int
    flops: float


@dataclass(eq=False, slots=True)
class Tally:
    """FLOPs of the epoch under way, so that what a failing epoch cost is known too."""

    flops: float = 0.0


@dataclass(frozen=True, eq=False)
class EpochTrainer:
    """What stays the same over a trial's epochs.

    frozen: parts that never train; order_seed: of the order of examples; tally: counts the epoch under way
    """

    model: MultiExitModel
    method: MethodRun
    split: TokenisedSplit
    training: Training
    pad_id: int
    order_seed: int
    precision: Precision
    device: torch.device
    frozen: frozenset[Part]
    meters: Meters
    tally: Tally = field(default_factory=Tally)

    def train(self, epoch: int, optimisation: Optimisation) -> Trained:
        """Train epoch `epoch` (from 1). Raises DivergedError."""
        self.model.train()
        price = self._priced()
        weighted: list[Tensor] = []
        examples = 0
        self.tally.flops = 0.0
        for indices in epoch_batches(self.split.lengths, self.training.batch_size, self.order_seed, epoch):
            batch = list(self._micro_batches(indices))
            passes = self.method.passes(epoch, optimisation.step)
            context = StepContext(self.model, epoch, optimisation.step, batch, self._forward, optimisation.update)
            self.tally.flops += sum(price(*_shape(micro.tokens), passes) for micro in batch)
            weighted.append(self.method.step(context) * len(indices))
            examples += len(indices)
            self.meters.keep_up()
        optimisation.check()
        return Trained(float(torch.stack(weighted).double().sum()) / examples, examples, self.tally.flops)

    def _forward(self, tokens: TokenBatch, exits: tuple[int, ...]) -> Tensor:
        with autocast(self.precision, self.device):
            logits: Tensor = self.model(tokens, exits)
        return logits

    def _micro_batches(self, indices: Indices) -> Iterator[MicroBatch]:
        """The batch in pieces of `micro_batch_size`, each padded to its own longest example."""
        size = self.training.micro_batch_size or len(indices)
        for start in range(0, len(indices), size):
            batch = pad(self.split, indices[start : start + size], self.pad_id)
            labels = torch.from_numpy(batch.labels).to(self.device, non_blocking=True)
            yield MicroBatch(to_tokens(batch, self.device), labels, share=len(batch.labels) / len(indices))

    def _priced(self) -> Callable[[int, int, tuple[Pass, ...]], float]:
        """FLOPs of a micro-batch's passes by its shape; shapes recur, so each is added up once."""
        known: dict[tuple[int, int, tuple[Pass, ...]], float] = {}

        def price(batch_size: int, length: int, passes: tuple[Pass, ...]) -> float:
            key = (batch_size, length, passes)
            if key not in known:
                known[key] = float(training_flops(self.model.costs(batch_size, length), passes, self.frozen))
            return known[key]

        return price


def _shape(tokens: TokenBatch) -> tuple[int, int]:
    """Examples and padded length."""
    examples, length = tokens.input_ids.shape
    return examples, length
