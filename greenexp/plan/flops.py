"""What a trial computes, before it runs: analytic FLOPs of every report, over the padded shapes it will really meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.errors import about_field
from greenexp.records.progress import steps_until
from greenexp.records.sections import Training
from greenexp.records.settings import Settings
from greenexp.records.trial import TrialSpec
from greenexp.records.values import canonical_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from greenexp.compression.base import Compression
    from greenexp.methods.base import MethodRun
    from greenexp.model import MultiExitModel
    from greenexp.records.costs import Part, Pass
    from greenexp.tasks.prepared import PreparedSplit, PreparedTask

WITHOUT_EFFECT = (
    "learning_rate",
    "weight_decay",
    "warmup",
    "clip_norm",
    "precision",
    "patience",
    "optimiser",
    "momentum",
    "schedule",
    "milestones",
    "decay",
)
"""Fields of `training` that change no shape of an epoch: trials that differ in them cost the same FLOPs at most."""


@dataclass(frozen=True, slots=True)
class EpochFlops:
    """FLOPs of each report, first to last (of each epoch, where a trial reports once per epoch).

    training: of the steps since the report before; evaluation: of evaluating the trained exits on dev
    """

    training: tuple[float, ...]
    evaluation: tuple[float, ...]


def same_cost(trial: TrialSpec) -> str:
    """Equal for trials whose every epoch computes the same shapes."""
    sections = trial.settings.to_json()
    del sections["metric"]
    training = {name: value for name, value in sections["training"].items() if name not in WITHOUT_EFFECT}
    fold = None if trial.fold is None else [trial.fold.number, trial.fold.of]
    return canonical_json({**sections, "training": training, "order": trial.seeds.order, "fold": fold})


def epoch_flops(trial: TrialSpec, data: PreparedTask) -> EpochFlops:
    """The FLOPs of `trial` on `data` (the whole task), report by report, by the model's and the method's own accounts.

    The model is built without weights, the batches are those the trial will draw. Raises InputError where model,
    method and data do not fit.
    """
    from greenexp.methods.adapt import check_reads
    from greenexp.model.reduction import exits_left
    from greenexp.tasks.folds import on_fold

    check_reads(trial.settings, data)
    data = on_fold(data, trial.fold)
    settings, compression = trial.settings, trial.settings.compression.plugin()
    model, run = without_weights(settings, data, trial.seeds.order)
    settings.metric.check_exits(
        exits_left(model.exit_layers, run.trained_exits(1), compression.typical_cut(model.backbone))
    )
    training = tuple(_training(trial, data, model, run))
    evaluation = tuple(_evaluation(settings.training, data, model, run, compression))
    if not compression.passes(model.exits):
        return EpochFlops(training, evaluation)
    choosing = _choosing(trial, data, model, run, compression)
    return EpochFlops(tuple(map(sum, zip(training, choosing, strict=True))), evaluation)


def without_weights(settings: Settings, data: PreparedTask, order: int) -> tuple[MultiExitModel, MethodRun]:
    """The model that would be trained, on the meta device, and the method's run. Raises InputError as above."""
    from greenexp.methods.adapt import check_compiled, check_tokens, trial_shape
    from greenexp.model import build_model

    method, compression = settings.method.plugin(), settings.compression.plugin()
    shapes = compression.adapt(method.adapt(settings.model))
    model = build_model(shapes, data.num_labels, data.vocab_size, data.pad_id, seed=0, device="meta")
    check_tokens(settings, model, data)
    check_compiled(settings, model)
    return model, method.begin(trial_shape(model, data, settings.training, order))


def _training(trial: TrialSpec, data: PreparedTask, model: MultiExitModel, run: MethodRun) -> Iterator[float]:
    from greenexp.records.costs import Part
    from greenexp.tasks.batches import dev_batches, epoch_batches, halved_batches

    training, lengths, step = trial.settings.training, data.train.lengths, 0
    frozen = frozenset({Part.EMBEDDINGS}) if training.freeze_embeddings else frozenset()
    price = _priced(model, run.teacher, frozen)
    size = training.batch_size
    prepared = [
        (len(rows), int(lengths[rows].max())) for rows in dev_batches(lengths, training.micro_batch_size or size)
    ]
    for epoch in range(1, training.epochs + 1):
        before, share = run.preparation(epoch), run.split(epoch)
        total = sum(price(*shape, before) for shape in prepared) if before else 0
        steps: Sequence[tuple[npt.NDArray[np.int64], ...]]
        if share is None:
            steps = [(batch,) for batch in epoch_batches(lengths, size, trial.seeds.order, epoch)]
        else:
            steps = halved_batches(lengths, size, trial.seeds.order, epoch, share)
        per_epoch = training.reports_per_epoch
        with about_field("training.reports_per_epoch"):
            ends = {steps_until(report, per_epoch, len(steps)) for report in range(1, per_epoch + 1)}
        for made, batches in enumerate(steps, start=1):
            passes = run.passes(epoch, step)
            for number, batch in enumerate(batches, start=1):
                own = tuple(one for one in passes if one.batch == number)
                total += sum(price(*shape, own) for shape in micro_shapes(lengths[batch], training.micro_batch_size))
            step += 1
            if made in ends:
                yield float(total)
                total = 0


def micro_shapes(lengths: npt.NDArray[np.int64], micro_batch_size: int | None) -> Iterator[tuple[int, int]]:
    """(examples, padded length) of each piece of a batch whose examples have these `lengths`."""
    size = micro_batch_size or len(lengths)
    for start in range(0, len(lengths), size):
        piece = lengths[start : start + size]
        yield len(piece), int(piece.max())


def _priced(
    model: MultiExitModel, teacher: MultiExitModel | None, frozen: frozenset[Part]
) -> Callable[[int, int, tuple[Pass, ...]], int]:
    """FLOPs of the passes over one shape; shapes recur, so each is added up once."""
    from greenexp.methods.pricing import passes_flops

    known: dict[tuple[int, int, tuple[Pass, ...]], int] = {}

    def price(batch_size: int, length: int, passes: tuple[Pass, ...]) -> int:
        key = (batch_size, length, passes)
        if key not in known:
            known[key] = passes_flops(model, teacher, (batch_size, length), passes, frozen)
        return known[key]

    return price


def _choosing(
    trial: TrialSpec, data: PreparedTask, model: MultiExitModel, run: MethodRun, compression: Compression
) -> Iterator[float]:
    """FLOPs by which a compression chooses what goes, per report."""
    import numpy as np

    training = trial.settings.training
    lengths = np.sort(data.train.lengths, kind="stable")[: compression.examples]
    price = _priced(model, None, frozenset())
    for epoch in range(1, training.epochs + 1):
        passes = compression.passes(run.trained_exits(epoch))
        one = sum(price(*shape, passes) for shape in micro_shapes(lengths, training.evaluation_batch_size))
        yield from (float(one),) * training.reports_per_epoch


def _evaluation(
    training: Training, data: PreparedTask, model: MultiExitModel, run: MethodRun, compression: Compression
) -> Iterator[float]:
    from greenexp.meters.flops import forward_flops
    from greenexp.model.reduction import reduced
    from greenexp.tasks.batches import dev_batches
    from greenexp.tasks.dev_part import part_of_dev

    def passes(split: PreparedSplit) -> list[tuple[int, int]]:
        lengths = split.lengths
        return [(len(b), int(lengths[b].max())) for b in dev_batches(lengths, training.evaluation_batch_size)]

    part = part_of_dev(data.dev, training)
    whole = passes(data.dev)
    within = whole if part is None else passes(part)
    known: dict[tuple[int, ...], tuple[float, float]] = {}
    for epoch in range(1, training.epochs + 1):
        exits = run.trained_exits(epoch)
        if exits not in known:
            cut = compression.typical_cut(model.backbone)
            served, left = (model, exits) if cut is None else reduced(model, cut, exits)
            each, last = (
                float(sum(forward_flops(served.costs(*shape), left) for shape in shapes)) for shapes in (within, whole)
            )
            known[exits] = (each, last)
        yield from (known[exits][0],) * (training.reports_per_epoch - 1)
        yield known[exits][1]
