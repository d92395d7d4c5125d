"""`SweepTables`: a sweep as validated pandas tables, the same whether read from the journal or from MLflow.

Readers hand over plain facts (`SweepFacts`: rows as they were recorded); `assemble` derives everything else here, once:
scores, totals, operating points, the ledger. NaN (or NA) always means not measured or not applicable, never 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from greenexp.errors import StateError
from greenexp.records.answers import ExampleAnswers
from greenexp.records.decision import Verdict
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.exit_tables import ExitTables
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.history import SweepHistory
from greenexp.records.sweep_spec import SweepSpec

COSTS = tuple(f.name for f in dataclasses.fields(Costs))
SUMMED_COSTS = tuple(name for name in COSTS if name != "peak_memory_b")
LOST_COSTS = tuple(name for name in SUMMED_COSTS if name != "wall_s")
"""Costs of work that no report covers, besides its worker seconds (`lost_wall_s`), which are always known."""
PARAMS = "params."
OBJECTIVES = "objectives."
DEV = "dev_"
TEST = "test_"

COUNT_EPOCHS = frozenset({"epoch", "epochs", "best_epoch", "stopped_at", "rung"})
"""Columns that count epochs: whole numbers, as in `SCHEMA`, unless some of them are not (`records.progress`)."""
_FRACTIONS = {"int64": "float64", "Int64": "Float64"}

_TRIALS = {
    "trial": "str", "configuration": "str", "index": "int64", "fingerprint": "str",
    "initialisation_seed": "int64", "order_seed": "int64", "fold": "Int64", "status": "str", "reason": "str",
    "attempts": "int64", "epochs": "int64", "max_epochs": "int64", "stopped_at": "Int64",
    "score": "float64", "best_epoch": "Int64", **dict.fromkeys(COSTS, "float64"),
    "lost_wall_s": "float64", "energy_method": "str", "dev_logits": "str", "parameters": "Int64",
}  # fmt: skip
_EPOCHS = {
    "trial": "str", "configuration": "str", "attempt": "int64", "epoch": "int64", "repeated": "bool",
    "time_s": "float64", "step": "int64", "examples": "int64", "dev_examples": "Int64", "train_loss": "float64",
    "learning_rate": "float64", "score": "float64", "best_score": "float64",
    **dict.fromkeys(COSTS, "float64"), "energy_method": "str", "dev_logits": "str", "precision": "str", "device": "str",
    "notes": "str", "score_remark": "str", "micro_batch_size": "Int64",
    "fused_seeds": "Int64", "processes": "Int64", "dropout_masks": "str",
}  # fmt: skip
_EXITS = {
    "trial": "str", "attempt": "int64", "epoch": "int64", "exit": "int64", "layer": "int64",
    "inference_flops": "float64",
}  # fmt: skip
_POINTS = {
    "trial": "str", "configuration": "str", "epoch": "int64", "policy": "str", "threshold": "float64",
    "score": "float64", "inference_flops": "float64", "mean_layers": "float64", "speed_up": "float64",
}  # fmt: skip
_LEDGER = {
    "axis": "str", "unit": "str", "used": "float64", "limit": "float64", "lost": "float64", "reason": "str",
}  # fmt: skip
_ENERGY = {
    "node": "str", "span": "str", "device": "str", "counter": "str", "span_s": "float64", "meter_j": "float64",
    "trials_j": "float64", "overhead_j": "float64", "unattributed_j": "float64", "idle_w": "float64",
    "idle_from": "str", "idle_window_s": "float64", "period_s": "float64", "samples": "int64", "gaps": "int64",
    "sampler_cpu_s": "float64",
}  # fmt: skip
_MEASUREMENTS = {
    "trial": "str", "what": "str", "point": "str", "repeat": "int64", "energy_j": "float64", "idle_w": "float64",
    "wall_s": "float64", "examples": "int64", "counters": "str", "reproduced": "boolean",
}  # fmt: skip
_DECISIONS = {
    "trial": "str", "configuration": "str", "rung": "Int64", "bracket": "int64", "action": "str",
    "value": "float64", "cutoff": "float64", "reason": "str", "time_s": "float64",
    "seeds": "Int64", "noise": "float64", "front": "Int64", "place": "Int64", "level": "float64",
}  # fmt: skip
_HELD_OUT = {
    "trial": "str", "configuration": "str", "evaluation": "int64", "time_s": "float64", "epoch": "int64",
    "examples": "int64", "score": "float64", "exit": "int64", "layer": "int64", "inference_flops": "float64",
}  # fmt: skip
_EXIT_PROFILES = {
    "trial": "str", "configuration": "str", "policy": "str", "threshold": "float64", "speed_up": "float64",
    "exit": "int64", "layer": "int64", "share": "float64",
}  # fmt: skip
_OVERTHINKING = {
    "trial": "str", "configuration": "str", "exit": "int64", "layer": "int64",
    "right": "float64", "first_right": "float64", "right_then_wrong": "float64",
}  # fmt: skip
_CONFUSION = {
    "trial": "str", "configuration": "str", "part": "int64", "examples": "int64", "confusion": "float64",
    "wrong": "float64", "area": "float64",
}  # fmt: skip
_CALIBRATION = {
    "trial": "str", "configuration": "str", "exit": "int64", "layer": "int64", "split": "str", "examples": "int64",
    "temperature": "float64", "remark": "str", "nll_before": "float64", "nll_after": "float64",
    "ece_before": "float64", "ece_after": "float64",
}  # fmt: skip
_RELIABILITY = {
    "trial": "str", "configuration": "str", "exit": "int64", "split": "str", "calibrated": "bool", "bin": "int64",
    "low": "float64", "high": "float64", "examples": "int64", "confidence": "float64", "accuracy": "float64",
}  # fmt: skip
_THRESHOLDS_ON_TEST = {
    "trial": "str", "configuration": "str", "policy": "str", "target": "float64", "threshold": "float64",
    "dev_score": "float64", "dev_speed_up": "float64", "dev_inference_flops": "float64",
    "test_score": "float64", "test_speed_up": "float64", "test_inference_flops": "float64",
}  # fmt: skip
REPLAYED: Mapping[str, Mapping[str, str]] = {
    "exit_profiles": _EXIT_PROFILES, "overthinking": _OVERTHINKING, "confusion": _CONFUSION,
    "calibration": _CALIBRATION, "reliability": _RELIABILITY, "thresholds_on_test": _THRESHOLDS_ON_TEST,
}  # fmt: skip
"""The tables that are replayed from stored logits, besides the operating points; each begins with the trial."""
SCHEMA: Mapping[str, Mapping[str, str]] = {
    "trials": _TRIALS, "epochs": _EPOCHS, "exits": _EXITS, "operating_points": _POINTS,
    "ledger": _LEDGER, "energy": _ENERGY,
    "measurements": _MEASUREMENTS, "decisions": _DECISIONS, "held_out": _HELD_OUT, **REPLAYED,
}  # fmt: skip

STATUSES = ("planned", "running", "paused", "finished", "stopped", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class TableRemarks:
    """What the tables of a sweep lack, so that a reader of them knows it.

    operating_points: why trials have static points alone, "" if none has; replay: what could not be worked out
    unread: which logits that are on record could not be read, so that tables are smaller than they should be; "" if all
        could be
    journal: what is to be known of the journal they were read from, "" if nothing is
    continued: where the sweep is recorded now, of a record that ends where it went on elsewhere; "" of any other
    """

    operating_points: str = ""
    replay: tuple[str, ...] = ()
    unread: str = ""
    journal: str = ""
    continued: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the tables unfit for use as they are, a sentence each."""
        unread = (f"{self.unread}.",) if self.unread else ()
        moved = (f"the sweep went on, and is recorded in {self.continued}: this record is an old one.",)
        return (*unread, *(moved if self.continued else ()))


@dataclass(frozen=True)
class SweepTables:
    """A sweep, whole or in progress.

    trials: a row per planned trial; `fold`: the part of the training set, from 0, that it left out and was scored on in
        the place of dev (NA: none, it was scored on dev); cost columns are totals over all its attempts, what a failed
        epoch cost included where the worker could tell (never in `wall_s`: that is `lost_wall_s`); `parameters`: of its
        model, NA where not on record; `energy_method`: the weakest of those by which its energy was found
        (`EnergyMethod`); `params.<path>` per searched field; of a sweep with several objectives,
        `objectives.<name>` of each but the score
    epochs: a row per report, named by the epochs trained until then (a fraction within an epoch), its costs those since
        the report before; `repeated` marks what a later attempt did again; `dev_examples`: of a report on a part of dev
        (NA: all of it), whose scores compare with each other alone; what
        it was computed with (precision, device, notes on the weights); `score_remark`: what must be known of a score;
        `micro_batch_size`: examples computed at once where batches did not fit into memory (NA: they fitted);
        `fused_seeds`: seeds that were trained as one model and have equal parts of the costs (NA: it trained alone);
        `processes`: that trained the trial together (NA: one); `dropout_masks`: whose they were, where it is not the
        same as with one process
    exits: a row per report and exit, `dev_<metric>` columns
    operating_points: a row per trial, policy and threshold, at the trial's best epoch: dev score against mean inference
        FLOPs per example; every exit (`static`) and, unless `facts` say otherwise, every threshold of the policies
    ledger: a row per budget axis: used, limit, lost (paid for work no report covers), why not measured
    energy: a row per device and span of its energy meter, see `MeteredDevice`: what was counted, and its parts
    measurements: a row per piece of work that was done once more, alone, to measure its energy (`EnergyMeasurement`)
    decisions: a row per scheduler decision that is not plain going on between rungs; `value` is a mean over the first
        `seeds` seeds, `noise` the standard error of the difference of two such means (`schedulers.rung_noise`); `front`
        and `place`, from 1, where several objectives were compared; `level`: the rung in the unit of the scheduler's
        `resource`, where rungs do not count epochs
    held_out: a row per evaluation on the test set and exit, `test_<metric>` columns; `evaluation` counts from 1 per
        trial, so 2 means that the test set was used again
    exit_profiles: a row per trial, operating point (at most 25 of a policy, evenly over speed-up) and exit: the share
        of dev examples that leaves there
    overthinking: a row per trial and exit, shares of dev examples: `right` here, right here for the first time,
        right here and wrong at the last exit
    confusion: a row per trial and tenth of its dev examples by rising confusion of the exits (`replay.confusion`):
        how often the last exit is wrong there
    calibration: a row per trial, exit and split: the temperature fitted on dev, and what it does there and on test
    reliability: a row per trial, exit, split, before or after calibration, and bin of confidence
    thresholds_on_test: a row per trial, policy and `target`, the least mean speed-up asked for on dev: the threshold
        with the best dev score that meets it, and what it is worth on dev and on test
    answers: trial -> what its exits answered on every dev example at its best epoch, of those that stored dev logits
    answers_on_test: the same on every test example
    spec: the resolved sweep file; history: how the sweep went; remarks: what the tables lack
    """

    trials: pd.DataFrame
    epochs: pd.DataFrame
    exits: pd.DataFrame
    operating_points: pd.DataFrame
    ledger: pd.DataFrame
    decisions: pd.DataFrame
    spec: SweepSpec
    history: SweepHistory
    energy: pd.DataFrame = field(default_factory=lambda: typed_frame("energy", ()))
    measurements: pd.DataFrame = field(default_factory=lambda: typed_frame("measurements", ()))
    held_out: pd.DataFrame = field(default_factory=lambda: typed_frame("held_out", ()))
    exit_profiles: pd.DataFrame = field(default_factory=lambda: typed_frame("exit_profiles", ()))
    overthinking: pd.DataFrame = field(default_factory=lambda: typed_frame("overthinking", ()))
    confusion: pd.DataFrame = field(default_factory=lambda: typed_frame("confusion", ()))
    calibration: pd.DataFrame = field(default_factory=lambda: typed_frame("calibration", ()))
    reliability: pd.DataFrame = field(default_factory=lambda: typed_frame("reliability", ()))
    thresholds_on_test: pd.DataFrame = field(default_factory=lambda: typed_frame("thresholds_on_test", ()))
    answers: Mapping[str, ExampleAnswers] = field(default_factory=dict)
    answers_on_test: Mapping[str, ExampleAnswers] = field(default_factory=dict)
    remarks: TableRemarks = TableRemarks()

    def __post_init__(self) -> None:
        for name, columns in SCHEMA.items():
            missing = [column for column in columns if column not in getattr(self, name)]
            if missing:
                raise StateError(f"table '{name}' lacks the column(s) {', '.join(missing)}")
        unknown = set(self.trials["status"]) - set(STATUSES)
        if unknown:
            raise StateError(f"table 'trials' has unknown status {', '.join(sorted(unknown))}")

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables by name, for export."""
        return {name: getattr(self, name) for name in SCHEMA}

    @property
    def parameters(self) -> list[str]:
        """The searched fields, without their `params.` prefix."""
        return [str(c).removeprefix(PARAMS) for c in self.trials.columns if str(c).startswith(PARAMS)]


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """What is recorded of one trial besides its epochs.

    lost_wall_s: worker seconds no report covers; lost: the other costs of such work, as far as they were measured;
    broken: attempts whose worker died, so that they were not; fold: as in the table `trials`
    """

    trial: str
    configuration: str
    index: int
    fingerprint: str
    initialisation_seed: int
    order_seed: int
    max_epochs: int
    searched: Mapping[str, Any]
    status: str
    reason: str
    attempts: int
    lost_wall_s: float
    started: bool
    lost: Mapping[str, float] = field(default_factory=dict)
    broken: int = 0
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """One report: who, in which attempt, when (`time_s` since the sweep began, pauses between sessions included)."""

    trial: str
    attempt: int
    time_s: float
    record: EpochRecord


@dataclass(frozen=True, slots=True)
class HeldOutFacts:
    """One evaluation of a trial on the test set, and when."""

    trial: str
    time_s: float
    record: HeldOutRecord


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """One verdict of the scheduler, and when."""

    time_s: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """All a reader has to find out about a sweep; `assemble` makes `SweepTables` of it.

    replays: trial -> what was replayed from the logits that stand for it, of those that have any
    continued: as of `TableRemarks`
    """

    spec: SweepSpec
    history: SweepHistory
    trials: tuple[TrialFacts, ...]
    epochs: tuple[EpochFacts, ...]
    decisions: tuple[DecisionFacts, ...]
    held_out: tuple[HeldOutFacts, ...] = ()
    replays: Mapping[str, ExitTables] = field(default_factory=dict)
    continued: str = ""


def typed_frame(name: str, rows: Iterable[Mapping[str, Any]], extra: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rows as the table `name` of `SCHEMA`, in its column order and types, then `extra` columns and their types."""
    columns = {**SCHEMA[name], **(extra or {})}
    frame = pd.DataFrame(list(rows), columns=list(columns))
    text = {column: "" for column, kind in columns.items() if kind == "str"}
    return frame.fillna(text).astype({column: _dtype(column, kind, frame) for column, kind in columns.items()})


def with_fractions(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of a sweep that reports within epochs: whole epochs have the type of fractions, in all its tables."""
    kinds = {column: _FRACTIONS.get(str(frame[column].dtype)) for column in COUNT_EPOCHS.intersection(frame)}
    return frame.astype({column: kind for column, kind in kinds.items() if kind is not None})


def _dtype(column: str, kind: str, frame: pd.DataFrame) -> str:
    """The type of a column; that of epochs is one for fractions if there are any."""
    if column not in COUNT_EPOCHS or all(float(value).is_integer() for value in frame[column].dropna()):
        return kind
    return _FRACTIONS[kind]
