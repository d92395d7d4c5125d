"""What a trial reports: after each epoch, and within epochs where it was asked to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.records.energy import ENERGY_METHOD, EnergyMethod
from greenexp.records.progress import Epochs

AT_ONCE = "micro_batch_size"
"""Where a report says, in `EpochRecord.computed_with`, how many examples of a batch that did not fit into memory were
computed at once."""
FUSED_SEEDS = "fused_seeds"
"""Of `EpochRecord.computed_with`: how many seeds were trained as one model, whose costs were divided equally."""

PROCESSES = "processes"
"""Of `EpochRecord.computed_with`: how many processes trained the trial together, where they were several."""
DROPOUT_MASKS, OF_PROCESSES = "dropout_masks", "each process draws its own"
"""Of `EpochRecord.computed_with`: that the numbers are not those of one process, as on GPUs with dropout."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a trial used for one report. None means not measured (the reason is in `EpochRecord.not_measured`).

    wall_s: seconds on the worker's clock, training and dev evaluation, and set-up in a trial's first report
    cpu_s: CPU seconds of the worker process, all threads
    gpu_s: wall seconds x GPUs assigned to the trial
    train_flops, eval_flops: analytic, from the padded shapes that were really computed
    energy_j, carbon_g, money: measured energy, and what follows from it (and from prices) if the user stated factors
    peak_memory_b: largest memory of the worker meanwhile, bytes: of the GPU if there is one, else resident
    """

    wall_s: float
    cpu_s: float | None = None
    gpu_s: float | None = None
    train_flops: float | None = None
    eval_flops: float | None = None
    energy_j: float | None = None
    carbon_g: float | None = None
    money: float | None = None
    peak_memory_b: float | None = None

    def shared(self, among: int) -> Costs:
        """An equal part of what several trials of one process used together; the memory is that of all."""
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        equal: dict[str, Any] = {name: None if whole is None else whole / among for name, whole in parts.items()}
        return Costs(**{**equal, "peak_memory_b": self.peak_memory_b})

    def less(self, earlier: Costs) -> Costs:
        """What came after `earlier`, which is part of these; the largest memory of all. None where not measured."""
        pairs = {
            field.name: (getattr(self, field.name), getattr(earlier, field.name)) for field in dataclasses.fields(self)
        }
        rest: dict[str, Any] = {
            name: None if None in (whole, part) else whole - part for name, (whole, part) in pairs.items()
        }
        return Costs(**{**rest, "peak_memory_b": self.peak_memory_b})

    def beside(self, other: Costs) -> Costs:
        """These and what another process of the trial used in the same time: sums, but the time is this one's.

        The memory is the larger one. None where one of them was not measured.
        """
        both = self.plus(other)
        return dataclasses.replace(both, wall_s=self.wall_s)

    def plus(self, later: Costs) -> Costs:
        """Both together: sums, and the larger memory; None where one of them was not measured."""
        pairs = {
            field.name: (getattr(self, field.name), getattr(later, field.name)) for field in dataclasses.fields(self)
        }
        sums: dict[str, Any] = {name: None if None in pair else sum(pair) for name, pair in pairs.items()}
        peaks = pairs["peak_memory_b"]
        return Costs(**{**sums, "peak_memory_b": None if None in peaks else max(peaks)})


@dataclass(frozen=True, slots=True)
class ExitScore:
    """How one exit did on dev.

    exit: from 1; layer: the encoder layer it sits on, from 1
    metrics: `loss` and the task's metrics (`accuracy`, ...); None where one is undefined
    inference_flops: mean FLOPs per dev example, at its real length, of always answering at this exit and evaluating
        no other exit
    """

    exit: int
    layer: int
    metrics: Mapping[str, float | None]
    inference_flops: float


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One report of one trial: an evaluation on dev, and what led to it since the report before.

    epoch: epochs trained so far, whole at the end of an epoch, a fraction within one; see `records.progress`
    step: optimiser steps since the trial began; examples: training examples seen since the report before
    train_loss: mean training objective over those examples; learning_rate: of the last step
    score: the sweep's metric on dev now; best_score: best so far = the trial's score. Only reports after which the
        same exits were trained are compared: a stage that adds exits begins anew
    exits: dev scores of every trained exit, from one pass
    dev_examples: how many of dev this report is on, a fixed part (`training.report_dev`); None: all of it. Reports on
        the part are compared with each other alone: their `best_score` is the best on it, and they store no logits
    encoder_layers: layers of the whole encoder, which may reach above the last trained exit; None of records of earlier
        versions, see `encoder_depth`
    parameters: numbers in the weights of the model as it is saved and serves: embeddings, all layers, poolers, the
        heads of all exits and a learning-to-exit module, a shared weight once; None of records of earlier versions
    weight_bytes: bytes of these numbers in the types in which they are saved; None of records of earlier versions
    costs: since the report before
    not_measured: name of a cost -> why it is None (`energy_j.<part>`: why that part of it is missing);
        `score`: a remark on the score, e.g. that an undefined metric was counted as 0
    computed_with: what a reader must know of the circumstances: `precision`, `device`, `notes` about the weights,
        `energy_method` where there is energy, `micro_batch_size` where a batch did not fit into memory, `processes` and
        `dropout_masks` where several processes trained it
    dev_logits: content hash of the stored dev logits if this report is the best so far, else None
    last: True on the final record of the trial
    """

    epoch: Epochs
    step: int
    examples: int
    train_loss: float
    learning_rate: float
    score: float
    best_score: float
    exits: tuple[ExitScore, ...]
    costs: Costs
    not_measured: Mapping[str, str] = field(default_factory=dict)
    computed_with: Mapping[str, str] = field(default_factory=dict)
    dev_logits: str | None = None
    last: bool = False
    encoder_layers: int | None = None
    parameters: int | None = None
    dev_examples: int | None = None
    weight_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EpochRecord:
        """The record `to_json` wrote."""
        fields = dict(data)
        fields["exits"] = tuple(ExitScore(**score) for score in data["exits"])
        fields["costs"] = Costs(**data["costs"])
        return cls(**fields)


def encoder_depth(records: Iterable[EpochRecord]) -> int:
    """The layers that a speed-up of 1 uses, from the records of one trial: speed-up = depth / mean layers used.

    Those of its whole encoder; where an earlier version did not record them, up to the last exit that was trained.
    """
    known = list(records)
    said = [record.encoder_layers for record in known if record.encoder_layers is not None]
    return said[-1] if said else max((score.layer for record in known for score in record.exits), default=0)


def parameters_of(records: Iterable[EpochRecord]) -> int | None:
    """Parameters of one trial's model, from its records; None where earlier versions did not record them."""
    said = [record.parameters for record in records if record.parameters is not None]
    return said[-1] if said else None


def method_of(record: EpochRecord) -> EnergyMethod:
    """How the energy of a report was found; earlier versions measured only trials that had their devices alone."""
    if record.costs.energy_j is None:
        return EnergyMethod.UNAVAILABLE
    return EnergyMethod(record.computed_with.get(ENERGY_METHOD, EnergyMethod.MEASURED_EXCLUSIVE))


def on_all_of_dev(records: Mapping[Epochs, EpochRecord]) -> dict[Epochs, EpochRecord]:
    """The reports, epoch -> record, that were evaluated on all of dev: what a trial's score is of."""
    return {epoch: record for epoch, record in records.items() if record.dev_examples is None}


def trial_score(records: Mapping[Epochs, EpochRecord]) -> float | None:
    """The best dev value so far, on all of dev; None before the first such report. records: epoch -> its record."""
    whole = on_all_of_dev(records)
    return whole[max(whole)].best_score if whole else None


def best_epoch(records: Mapping[Epochs, EpochRecord]) -> Epochs | None:
    """The trial's best epoch: that of the first report, of those with the exits of the last, with the last best score.

    records: epoch -> its record; those on a part of dev are left out
    """
    records = on_all_of_dev(records)
    if not records:
        return None
    last = records[max(records)]
    exits = [score.exit for score in last.exits]
    return next(
        (
            epoch
            for epoch, record in sorted(records.items())
            if record.score == last.best_score and [score.exit for score in record.exits] == exits
        ),
        None,
    )


def seeds_together(record: EpochRecord) -> int:
    """How many seeds, itself included, shared the costs that it has an equal part of; 1: it has all of them."""
    return int(record.computed_with.get(FUSED_SEEDS, 1))
