"""What a search may optimise besides the score: what each objective is of one trial, and which values are better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

from greenexp.records.epoch import EpochRecord, ExitScore, best_epoch, trial_score
from greenexp.records.progress import Epochs
from greenexp.records.sections import Metric

Objective = Literal["score", "inference_flops", "train_flops", "wall_s", "energy_j"]
Direction = Literal["max", "min"]
SCORE: Objective = "score"
UNITS: Mapping[str, str] = {"inference_flops": "FLOP", "train_flops": "FLOP", "wall_s": "s", "energy_j": "J"}
"""Of the objectives that are costs, of which less is better."""


def directions_of(objectives: Sequence[str], mode: Direction) -> dict[str, Direction]:
    """Objective -> which of its values are better; `mode`: that of the score."""
    return {name: mode if name == SCORE else "min" for name in objectives}


def objective_of(name: str, records: Mapping[Epochs, EpochRecord], metric: Metric) -> float | None:
    """The value of an objective of one trial, None where it was not measured or nothing was reported.

    score: the best dev value so far. inference_flops: mean FLOPs per dev example of answering at the exit that
    `metric.exit` names, at the best epoch; with `mean` the mean over exits, with `best` those of the best exit.
    Costs: of all its epochs, each counted once, however often a crash had it repeated.

    records: epoch -> its latest record
    """
    if not records:
        return None
    if name == SCORE:
        return trial_score(records)
    if name == "inference_flops":
        best = best_epoch(records)
        return None if best is None else _inference_flops(records[best].exits, metric)
    costs = [getattr(record.costs, name) for record in records.values()]
    return None if any(cost is None for cost in costs) else float(sum(costs))


def _inference_flops(exits: Sequence[ExitScore], metric: Metric) -> float | None:
    """FLOPs of the exits that the score is of."""
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
