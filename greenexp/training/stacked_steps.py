"""The steps of several seeds, made together: one forward and one backward pass, and each seed's own loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from greenexp.backbones.base import InputBatch, TokenBatch
from greenexp.errors import DivergedError, InputError
from greenexp.model.stacked import StackedModels
from greenexp.tasks.batches import Indices
from greenexp.training.inputs import ReadBatch
from greenexp.training.isolation import GeneratorStates
from greenexp.training.pieces import drops
from greenexp.training.precision import autocast
from greenexp.training.stacked_draws import StackedDraws
from greenexp.training.stacked_optimisation import StackedOptimisation
from greenexp.training.trial_setup import TrainingStretch, TrialSetup


class StackedSteps:
    """Seeds that are stacked, at the same step of the same stage.

    works: what each trains with, of equal settings
    """

    def __init__(self, works: Sequence[TrialSetup]) -> None:
        first = works[0]
        self.models = StackedModels([work.model for work in works])
        self._works = tuple(works)
        self._optimisation = StackedOptimisation(self.models, [work.optimisation for work in works], first.training)
        self._prices = [work.trainer.priced() for work in works]
        self._drops = any(map(drops, self.models.model.modules()))

    def fits(self, works: Sequence[TrialSetup]) -> bool:
        """Whether it is of these set-ups, in their present stage."""
        own = tuple(work.optimisation for work in works)
        return self._works == tuple(works) and self._optimisation.own == own

    def train(
        self, stretches: Sequence[TrainingStretch], interrupted: Callable[[], bool]
    ) -> tuple[bool, dict[int, DivergedError]]:
        """Go on until the seeds' reports are due, until one fails, or until `interrupted`, asked between two steps.

        Returns whether it came to the reports, and the seeds, by number, that failed.
        """
        first, device = stretches[0], stretches[0].work.trainer.device
        generators = [_generator(stretch, device) for stretch in stretches]
        draws = StackedDraws(generators)
        pairs = [stretch.work.trainer.batches(stretch.under_way.epoch) for stretch in stretches]
        self.models.model.train()
        failed: dict[int, DivergedError] = {}
        with draws if self._drops else nullcontext():
            while first.under_way.steps < first.until and not failed:
                number = first.under_way.steps
                failed = self._step(stretches, [batches[number][0] for batches in pairs], draws)
                first.work.trainer.meters.keep_up()
                if number + 1 < first.until and interrupted():
                    break
        for number, work in enumerate(self._works):
            try:
                work.optimisation.check()
            except DivergedError as error:
                failed.setdefault(number, error)
        self._optimisation.hand_back()
        for stretch, generator in zip(stretches, generators, strict=True):
            stretch.under_way.generators = _standing(stretch, generator)
        return not failed and first.under_way.steps == first.until, failed

    def _step(
        self, stretches: Sequence[TrainingStretch], batches: Sequence[Indices], draws: StackedDraws
    ) -> dict[int, DivergedError]:
        """One step of each seed over its own batch of rows of the training split."""
        parts = [list(_parts(work, batch)) for work, batch in zip(self._works, batches, strict=True)]
        totals: list[Tensor | None] = [None] * len(stretches)
        for place in range(max(map(len, parts))):
            losses = self._losses(
                stretches, [own[place] if place < len(own) else None for own in parts], batches, draws
            )
            torch.stack([loss for loss in losses if loss is not None]).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            for number, loss in enumerate(losses):
                if loss is not None:
                    before = totals[number]
                    totals[number] = loss.detach() if before is None else before + loss.detach()
        whole = [total for total in totals if total is not None]
        failed = self._optimisation.update(whole)
        for number, (stretch, batch) in enumerate(zip(stretches, batches, strict=True)):
            work, under_way = stretch.work, stretch.under_way
            shapes = [(len(part), int(work.trainer.split.lengths[part].max())) for part in parts[number]]
            work.trainer.note_flops(under_way, work.step, (shapes, ()), self._prices[number])
            work.step = work.optimisation.step
            if number not in failed:
                under_way.note_step(whole[number], len(batch))
        return failed

    def _losses(
        self,
        stretches: Sequence[TrainingStretch],
        parts: Sequence[Indices | None],
        batches: Sequence[Indices],
        draws: StackedDraws,
    ) -> list[Tensor | None]:
        """Each seed's loss over its part of its batch, times the part's share; None for one without a part."""
        first, epoch = self._works[0], stretches[0].under_way.epoch
        somebody = next(number for number, part in enumerate(parts) if part is not None)
        own = [
            (0, 0) if part is None else (len(part), int(work.trainer.split.lengths[part].max()))
            for work, part in zip(self._works, parts, strict=True)
        ]
        examples, length = max(count for count, _ in own), max(tokens for _, tokens in own)
        read = [
            _filled(self._works[number if part is not None else somebody], part, parts[somebody], epoch, own)
            for number, part in enumerate(parts)
        ]
        self.models.expect(examples)
        draws.begin(own, examples, length)
        first.method.quieten(self.models.model, epoch)
        with autocast(first.precision, first.trainer.device):
            logits = self.models.model(side_by_side([one.inputs for one in read]), first.method.stage(epoch).exits)
        losses: list[Tensor | None] = []
        for number, (work, part, batch) in enumerate(zip(self._works, parts, batches, strict=True)):
            if part is None:
                losses.append(None)
                continue
            rows = slice(number * examples, number * examples + len(part))
            loss = work.method.loss(logits[:, rows], read[number].labels[: len(part)], epoch)
            losses.append(len(part) / len(batch) * loss)
        return losses


def side_by_side(batches: Sequence[InputBatch]) -> TokenBatch:
    """The seeds' batches, as large as each other, one after the other. InputError for batches that are no texts."""
    tokens = [batch for batch in batches if isinstance(batch, TokenBatch)]
    if len(tokens) < len(batches):
        raise InputError("seeds of models that do not read texts cannot be trained as one")
    masks = [batch.attention_mask for batch in tokens]
    whole = [
        torch.ones_like(batch.input_ids) if mask is None else mask for batch, mask in zip(tokens, masks, strict=True)
    ]
    types = [batch.token_type_ids for batch in tokens if batch.token_type_ids is not None]
    return TokenBatch(
        torch.cat([batch.input_ids for batch in tokens]),
        None if all(mask is None for mask in masks) else torch.cat(whole),
        torch.cat(types) if types else None,
    )


def _filled(
    work: TrialSetup, part: Indices | None, others: Indices | None, epoch: int, own: Sequence[tuple[int, int]]
) -> ReadBatch:
    """A seed's batch, as large as the largest of all seeds.

    What fills it up is one of its own examples again, as attention over nothing but padding is not defined; whoever
    reads the logits leaves it out, so that it has no gradient. A seed without a batch gets another's examples.
    """
    rows = part if part is not None else others
    if rows is None:
        raise ValueError("no seed has a batch")
    examples, length = max(count for count, _ in own), max(tokens for _, tokens in own)
    rows = np.concatenate([rows[:examples], np.repeat(rows[:1], max(0, examples - len(rows)))])
    trainer = work.trainer
    return trainer.reader.read(trainer.split, rows, drawn_by=(trainer.order_seed, epoch), least=length)


def _parts(work: TrialSetup, batch: Indices) -> Iterator[Indices]:
    size = work.training.micro_batch_size or len(batch)
    for start in range(0, len(batch), size):
        yield batch[start : start + size]


def _generator(stretch: TrainingStretch, device: torch.device) -> torch.Generator:
    """A generator of the seed's own, where its global one stands."""
    states, made = stretch.generators, torch.Generator(device=device)
    made.set_state(states.cpu if states.gpu is None else states.gpu)
    return made


def _standing(stretch: TrainingStretch, generator: torch.Generator) -> GeneratorStates:
    """The seed's generators now: of the global ones none was drawn from."""
    state = generator.get_state()
    return (
        replace(stretch.generators, cpu=state)
        if stretch.generators.gpu is None
        else replace(stretch.generators, gpu=state)
    )
