"""The steps of an epoch: batches in, steps by the method, FLOPs by the padded shapes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from greenexp.compression.base import Compression
from greenexp.meters.measure import Meters
from greenexp.methods.base import EpochContext, MethodRun, MicroBatch, StepContext
from greenexp.methods.pricing import passes_flops
from greenexp.model import MultiExitModel
from greenexp.records.costs import Part, Pass
from greenexp.records.sections import Training
from greenexp.tasks.batches import Indices, dev_batches, epoch_batches, first_part, halved_batches
from greenexp.tasks.prepared import PreparedSplit
from greenexp.training.inputs import Reader
from greenexp.training.isolation import GeneratorStates, step_seed
from greenexp.training.optimisation import Optimisation
from greenexp.training.pieces import BatchPiece, DividedBatch, PieceBounds, WholeDraws, drops
from greenexp.training.precision import Precision, autocast
from greenexp.training.processes import TrialProcesses
from greenexp.training.under_way import EpochUnderWay

Price = Callable[[int, int, tuple[Pass, ...]], float]
"""FLOPs of some passes over a micro-batch, by its examples and its padded length."""


@dataclass(frozen=True, eq=False)
class EpochTrainer:
    """What stays the same over a trial's epochs.

    frozen: parts that never train; order_seed: of the order of examples
    compression: what is done to the weights after each step
    at_once: examples that are computed at once at most, where more do not fit: the numbers stay, but for rounding
    reader: how the training examples are read
    processes: that train the trial together; None: this one alone
    """

    model: MultiExitModel
    method: MethodRun
    split: PreparedSplit
    training: Training
    reader: Reader
    order_seed: int
    precision: Precision
    device: torch.device
    frozen: frozenset[Part]
    meters: Meters
    compression: Compression
    at_once: int | None = None
    processes: TrialProcesses | None = None

    def train(
        self, under_way: EpochUnderWay, until: int, optimisation: Optimisation, interrupted: Callable[[], bool]
    ) -> bool:
        """Go on with an epoch until `until` of its steps are made, or until `interrupted`, asked between two steps.

        Returns whether it came to `until`. Raises DivergedError.
        """
        draws = None if self.draws_apart or not self.divides else WholeDraws(self.device)
        with draws or nullcontext():
            return self._train(under_way, until, optimisation, interrupted, draws)

    @property
    def divides(self) -> bool:
        """Whether batches are computed in pieces."""
        return self.at_once is not None or self.processes is not None

    @functools.cached_property
    def most_at_once(self) -> int:
        """Examples that this process computes at once: its own part of a micro-batch, or fewer that fit."""
        own = self.training.own_part(1 if self.processes is None else self.processes.size)
        return min(self.at_once or own, own)

    @functools.cached_property
    def draws_apart(self) -> bool:
        """Whether each process draws dropout masks of its own, as those of a whole batch cannot be drawn on a GPU."""
        return self.processes is not None and self.device.type != "cpu" and any(map(drops, self.model.modules()))

    def _train(
        self,
        under_way: EpochUnderWay,
        until: int,
        optimisation: Optimisation,
        interrupted: Callable[[], bool],
        draws: WholeDraws | None,
    ) -> bool:
        self.model.train()
        price, epoch, all_steps, processes = self.priced(), under_way.epoch, self.all_steps, self.processes
        update = optimisation.update if processes is None else processes.update(optimisation, interrupted)
        if not under_way.prepared:
            self._prepare(under_way, price)
        if under_way.generators is not None:
            under_way.generators.apply(self.device)
        for first, second in self.batches(epoch)[under_way.steps : until]:
            batches = [self._batch(indices, epoch, draws) for indices in (first, second)]
            self.note_flops(under_way, optimisation.step, [_shapes(batch) for batch in batches], price)
            of_step = (self.model, epoch, optimisation.step, batches[0], update, self._precise, batches[1])
            context = StepContext(*of_step) if processes is None else StepContext(*of_step, processes.total)
            before = self.compression.before_step(self.model.backbone)
            self._draw_apart(epoch, under_way.steps)
            loss = self.method.step(context)
            under_way.note_step(loss if processes is None else processes.whole_loss, len(first))
            self.compression.after_step(self.model.backbone, before, optimisation.step, all_steps)
            self.meters.keep_up()
            if under_way.steps < until and (interrupted() if processes is None else processes.interrupted):
                break
        if processes is not None:  # a look at a GPU waits for its sums, in which one that has failed takes no part
            processes.meet()
        optimisation.check()
        under_way.generators = GeneratorStates.now(self.device)
        return under_way.steps == until

    def note_flops(
        self, under_way: EpochUnderWay, step: int, shapes: Sequence[Sequence[tuple[int, int]]], price: Price
    ) -> None:
        """Count what the method's passes over a step's batches take.

        step: optimiser steps made before this one; shapes: per batch (examples, padded length) of its micro-batches
        """
        passes = self.method.passes(under_way.epoch, step)
        for number, batch in enumerate(shapes, start=1):
            own = tuple(one for one in passes if one.batch == number)
            under_way.flops += sum(price(*shape, own) for shape in batch)

    @property
    def all_steps(self) -> int:
        """Optimiser steps of a full training."""
        return sum(map(self.steps, range(1, self.training.epochs + 1)))

    def steps(self, epoch: int) -> int:
        """Optimiser steps of an epoch."""
        return -(-first_part(len(self.split), self.method.split(epoch)) // self.training.batch_size)

    def _prepare(self, under_way: EpochUnderWay, price: Price) -> None:
        """What the method must do before its first step of the epoch in this process, and its FLOPs."""

        def batches() -> Iterator[MicroBatch]:
            for indices in self._in_order():
                for piece in itertools.chain.from_iterable(self.micro_batches(indices, under_way.epoch)):
                    yield piece.read()
                self.meters.keep_up()

        passes = self.method.prepare(EpochContext(self.model, under_way.epoch, batches, self._precise))
        self.model.train()
        under_way.prepared = True
        if passes:
            shapes = [(len(rows), int(self.split.lengths[rows].max())) for rows in self._in_order()]
            under_way.flops += sum(price(*shape, passes) for shape in shapes)

    def _in_order(self) -> list[Indices]:
        """The training split shortest first, as many examples at a time as are computed at once."""
        return dev_batches(self.split.lengths, self.training.micro_batch_size or self.training.batch_size)

    def batches(self, epoch: int) -> list[tuple[Indices, Indices]]:
        """The epoch's batches, each with the second one of its step, which is empty where there is no split."""
        lengths, size, share = self.split.lengths, self.training.batch_size, self.method.split(epoch)
        if share is not None:
            return halved_batches(lengths, size, self.order_seed, epoch, share)
        nothing = np.empty(0, dtype=np.int64)
        return [(batch, nothing) for batch in epoch_batches(lengths, size, self.order_seed, epoch)]

    @functools.cached_property
    def _lengths(self) -> Indices:
        """Of all examples: a step needs those of a few, and a streamed text has millions."""
        return self.split.lengths

    @contextmanager
    def _precise(self) -> Iterator[None]:
        with autocast(self.precision, self.device):
            yield

    def _draw_apart(self, epoch: int, step: int) -> None:
        """Before a step, where each process draws masks of its own: by their numbers, so that a pause changes none."""
        if self.draws_apart and self.processes is not None:
            torch.cuda.manual_seed(step_seed(self.order_seed, epoch, step, self.processes.number))

    def _batch(self, indices: Indices, epoch: int, draws: WholeDraws | None) -> Sequence[MicroBatch]:
        """A step's batch, on the device."""
        wholes = list(self.micro_batches(indices, epoch))
        return DividedBatch(wholes, draws) if self.divides else [whole.read() for (whole,) in wholes]

    def micro_batches(self, indices: Indices, epoch: int) -> Iterator[Sequence[BatchPiece]]:
        """The batch in parts of `micro_batch_size`, each padded to its own longest example, in pieces if need be."""
        size = self.training.micro_batch_size or max(len(indices), 1)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            longest = int(self._lengths[part].max())
            yield [self._piece(part, found, longest, len(indices), epoch) for found in self._pieces(len(part))]

    def _piece(self, part: Indices, found: PieceBounds, longest: int, of: int, epoch: int) -> BatchPiece:
        """A piece of `part`, a micro-batch of a batch of `of` examples."""
        rows = part[found.first : found.end]
        read = functools.partial(self._read, rows, longest, of, epoch, found.copies)
        return BatchPiece(found.first, len(rows), longest, read, found.is_own)

    def _pieces(self, examples: int) -> Iterator[PieceBounds]:
        """Of a micro-batch: each process's part, in pieces that are computed at once."""
        parts = [PieceBounds(0, examples)] if self.processes is None else self.processes.parts(examples)
        for part in parts:
            for start in range(part.first, part.end, self.most_at_once):
                yield part._replace(first=start, end=min(start + self.most_at_once, part.end))

    def _read(self, piece: Indices, longest: int, of: int, epoch: int, copies: int) -> MicroBatch:
        """`piece` of a batch of `of` examples, as wide as the part that it is of."""
        batch = self.reader.read(self.split, piece, drawn_by=(self.order_seed, epoch), least=longest)
        return MicroBatch(batch.inputs, batch.labels, len(piece) / of, piece, batch.targets, copies)

    def priced(self) -> Price:
        """FLOPs of a micro-batch's passes by its shape; shapes recur, so each is added up once."""
        known: dict[tuple[int, int, tuple[Pass, ...]], float] = {}

        def price(batch_size: int, length: int, passes: tuple[Pass, ...]) -> float:
            key = (batch_size, length, passes)
            if key not in known:
                shape, teacher = (batch_size, length), self.method.teacher
                known[key] = float(passes_flops(self.model, teacher, shape, passes, self.frozen))
            return known[key]

        return price


def _shapes(batch: Sequence[MicroBatch]) -> list[tuple[int, int]]:
    """(examples, padded length) of its micro-batches, of all processes."""
    return batch.shapes if isinstance(batch, DividedBatch) else [micro.inputs.shape for micro in batch]
