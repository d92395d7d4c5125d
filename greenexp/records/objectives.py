"""What a search may optimise besides the score: what each objective is of one trial, and which values are better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from greenexp.records.epoch import EpochRecord, ExitScore, best_epoch, parameters_of, trial_score
from greenexp.records.progress import Epochs
from greenexp.records.sections import Metric

Objective = Literal["score", "inference_flops", "train_flops", "wall_s", "energy_j", "parameters"]
Direction = Literal["max", "min"]
SCORE: Objective = "score"
UNITS: Mapping[str, str] = {
    "inference_flops": "FLOP", "train_flops": "FLOP", "wall_s": "s", "energy_j": "J", "parameters": "",
}  # fmt: skip
"""Of the objectives that are costs, of which less is better; "" is a count."""


@dataclass(frozen=True, slots=True)
class ObjectiveCosts:
    """The costs among a sweep's objectives, of one trial as at one of its reports.

    values: objective -> value, of those that are known; missing: of the others -> why
    """

    values: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict."""
        return {"values": dict(self.values), "missing": dict(self.missing)}


NO_COSTS = ObjectiveCosts()
"""Of a sweep whose only objective is the score."""


def directions_of(objectives: Sequence[str], mode: Direction) -> dict[str, Direction]:
    """Objective -> which of its values are better; `mode`: that of the score."""
    return {name: mode if name == SCORE else "min" for name in objectives}


def objective_of(name: str, records: Mapping[Epochs, EpochRecord], metric: Metric) -> float | None:
    """The value of an objective of one trial, None where it was not measured or nothing was reported.

    score: the best dev value so far. inference_flops: mean FLOPs per dev example of answering at the exit that
    `metric.exit` names, at the best epoch; with `mean` the mean over exits, with `best` those of the best exit.
    parameters: of its model, see `EpochRecord`. Costs: of all its epochs, each counted once, however often a crash had
    it repeated.

    records: epoch -> its latest record
    """
    if not records:
        return None
    if name == SCORE:
        return trial_score(records)
    if name == "inference_flops":
        best = best_epoch(records)
        return None if best is None else inference_flops_of(records[best].exits, metric)
    if name == "parameters":
        count = parameters_of(records.values())
        return None if count is None else float(count)
    costs = [getattr(record.costs, name) for record in records.values()]
    return None if any(cost is None for cost in costs) else float(sum(costs))


def costs_so_far(
    objectives: Sequence[str], records: Mapping[Epochs, EpochRecord], metric: Metric, until: Epochs
) -> ObjectiveCosts:
    """The objectives of a trial but its score, as at its report after `until` epochs; see `objective_of`."""
    names = [name for name in objectives if name != SCORE]
    if not names:
        return NO_COSTS
    reported = {epoch: record for epoch, record in records.items() if epoch <= until}
    values, missing = {}, {}
    for name in names:
        value = objective_of(name, reported, metric)
        if value is None or not math.isfinite(value):
            missing[name] = _why_missing(name, reported)
        else:
            values[name] = value
    return ObjectiveCosts(values, missing)


def _why_missing(name: str, records: Mapping[Epochs, EpochRecord]) -> str:
    said = (record.not_measured.get(name) for record in records.values())
    return next((why for why in said if why), "it is not on record")


def inference_flops_of(exits: Sequence[ExitScore], metric: Metric) -> float | None:
    """Mean FLOPs per example of the exits that the score is of, from the scores of one report; None if not known."""
    if not exits:
        return None
    match metric.exit:
        case "mean":
            return fmean(score.inference_flops for score in exits)
        case "last":
            return exits[-1].inference_flops
        case "best":
            known = [score for score in exits if score.metrics.get(metric.name) is not None]
            sign = 1.0 if metric.mode == "max" else -1.0
            best = max(known, key=lambda score: sign * (score.metrics[metric.name] or 0.0), default=None)
            return None if best is None else best.inference_flops
        case number:
            return next((score.inference_flops for score in exits if score.exit == number), None)
