"""Lines of operating points against a named baseline, each with its seeds: ELUE's score and how certain it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from greenexp.analysis.comparing.compare import percent
from greenexp.analysis.elue.line import OUTSIDE, BaselineLine, Outside
from greenexp.analysis.elue.metrics import in_one_metric
from greenexp.analysis.elue.score import ElueScore, elue_score
from greenexp.analysis.findings import Findings
from greenexp.analysis.numbers.intervals import mean_interval
from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.records.scored_lines import ScoredLine

MOST_POINTS = 12
"""Points that are chosen of a line of many, as many as the official baseline has."""
NOT_PUBLIC = (
    "the official ELUE score is against the 12 layers of ElasticBERT-base, whose coordinates are not published: this "
    "score is against the named baseline, and does not compare with the numbers of the official board"
)
TITLES = {
    "scores": "ELUE score of each line: mean height over the baseline at equal FLOPs, in points",
    "seeds": "ELUE score of each seed, in points",
    "points": "Operating points, and the baseline's line at their cost",
    "baseline": "The baseline's points, means over its seeds",
}


@dataclass(frozen=True, slots=True)
class ElueOptions:
    """outside: of points beyond the baseline's range; most_points: chosen of a line of many; confidence: of intervals.

    Raises InputError for what is not possible.
    """

    outside: Outside = "refuse"
    most_points: int = MOST_POINTS
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.outside not in OUTSIDE:
            raise InputError(f"outside is {self.outside!r}: expected {' or '.join(map(repr, OUTSIDE))}")
        if self.most_points < 1:
            raise InputError(f"{self.most_points} points: at least 1")
        if not 0 < self.confidence < 1:
            raise InputError(f"the confidence must lie between 0 and 1, received {self.confidence:g}")


class Interval(NamedTuple):
    """Of a mean score, in points; NaN where there is none. over: what."""

    mean: float
    lower: float
    upper: float
    over: str


def elue_study(lines: Sequence[ScoredLine], baseline: ScoredLine, options: ElueOptions | None = None) -> Findings:
    """The ELUE score of each line against the baseline, per seed and as a mean with an interval.

    With S_ik the score of seed i against the baseline of seed k: if line and baseline have the same seeds, as two exit
    policies of the same trials, the mean of S_ii with Student's t interval over them. Otherwise the mean of all S_ik;
    as the score is the mean of p minus the mean of b, its variance is var_i / n + var_k / m of the means over the other
    index, with Welch's degrees of freedom, which is exact where both cost the same with every seed. With one seed of
    the baseline its noise is not in the interval; with one seed of the line there is none.

    Parameters
    ----------
    lines : sequence of ScoredLine, required
        What is scored. Of a line that is `choosable` points are chosen: those within the baseline's range whose costs
        are nearest to `most_points` costs evenly spaced between the first and the last.
    baseline : ScoredLine, required
        What it is scored against.
    options : ElueOptions, default ElueOptions()
        How to compute.

    Returns
    -------
    Findings
        The tables scores, seeds, points, baseline; see TITLES. Costs in MFLOPs, scores in points. `metric`: by which
        all are compared, "" if none is on record.

    Raises
    ------
    InputError
        For a baseline that is no line, for points outside its range under "refuse", and for scores of different
        metrics.

    """
    options = options or ElueOptions()
    lines, baseline, metric, said = in_one_metric(lines, baseline)
    against = {seed: _line(rows, f"baseline {baseline.name}, {seed}") for seed, rows in baseline.seeds.items()}
    if not lines:
        raise InputError("there is no line to score")
    scored = [_scored(line, baseline, against, options) for line in lines]
    tables = {
        "scores": pd.DataFrame([{**one.row, "metric": metric} for one in scored]),
        "seeds": pd.concat([one.seeds for one in scored], ignore_index=True),
        "points": pd.concat([one.points for one in scored], ignore_index=True),
        "baseline": _baseline_table(against),
    }
    notes = [f"the baseline is {baseline.name}", *said, NOT_PUBLIC, *(note for one in scored for note in one.notes)]
    verdict = tuple(_sentence(one, baseline.name, options) for one in scored)
    own = [note for line in (baseline, *lines) for note in line.notes]
    warnings = tuple(told for line in lines if (told := unlike(line, baseline)))
    return Findings(verdict, tables, TITLES, tuple(dict.fromkeys([*notes, *own])), tuple(dict.fromkeys(warnings)))


@dataclass(frozen=True, eq=False, slots=True)
class _ScoredSeeds:
    """One line, scored. row: of the table scores; notes: what had to be left out or clamped."""

    row: dict[str, object]
    seeds: pd.DataFrame
    points: pd.DataFrame
    interval: Interval
    notes: tuple[str, ...]


def _line(rows: Floats, name: str) -> BaselineLine:
    try:
        return BaselineLine.of(rows)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _scored(
    line: ScoredLine, baseline: ScoredLine, against: Mapping[str, BaselineLine], options: ElueOptions
) -> _ScoredSeeds:
    paired = set(line.seeds) == set(against) and len(against) > 1
    scores: list[list[ElueScore]] = []
    notes: list[str] = []
    chosen: dict[str, Floats] = {}
    for seed, rows in line.seeds.items():
        chosen[seed], left_out = _chosen(rows, tuple(against.values()), options) if line.choosable else (rows, 0)
        if not len(chosen[seed]):
            raise InputError(f"{line.name}, {seed}: none of its {len(rows)} points lies within the baseline's range")
        if left_out:
            notes.append(f"{line.name}, {seed}: {left_out} points outside the baseline's range cannot be chosen")
        scores.append([_score(line, seed, chosen[seed], each, options) for each in against.values()])
    matrix = np.array(scores, dtype=np.float64)
    places = {seed: place for place, seed in enumerate(against)}
    of_seed = [row[places[seed]] if paired else None for seed, row in zip(line.seeds, scores, strict=True)]
    per_seed = np.array([m.mean() if own is None else float(own) for own, m in zip(of_seed, matrix, strict=True)])
    interval = paired_interval(per_seed, options.confidence) if paired else welch_interval(matrix, options.confidence)
    used = [row if own is None else [own] for own, row in zip(of_seed, scores, strict=True)]
    points = [_points_table(line, seed, row) for seed, row in zip(line.seeds, used, strict=True)]
    clamped = [int(table["outside"].sum()) for table in points]
    if any(clamped):
        notes.append(
            f"{line.name}: {sum(clamped)} of {sum(map(len, points))} points lie outside the baseline's range, "
            f"{next(iter(against.values())).range_text}, and are set against the nearest end of its line"
        )
    seeds = pd.DataFrame({"line": line.name, "seed": list(line.seeds), "points": list(map(len, points)),
                          "score": per_seed, "clamped": clamped})  # fmt: skip
    row: dict[str, object] = {
        "line": line.name, "seeds": len(line.seeds), "points": int(seeds["points"].sum()), "score": interval.mean,
        "lower": interval.lower, "upper": interval.upper, "interval_over": interval.over, "clamped": sum(clamped),
        "mparams": math.nan if line.mparams is None else line.mparams, "baseline": baseline.name,
    }  # fmt: skip
    return _ScoredSeeds(row, seeds, pd.concat(points, ignore_index=True), interval, tuple(notes))


def _score(line: ScoredLine, seed: str, rows: Floats, against: BaselineLine, options: ElueOptions) -> ElueScore:
    try:
        return elue_score(rows, against, options.outside)
    except InputError as error:
        raise InputError(f"{line.name}, {seed}: {error}") from None


def _chosen(rows: Floats, against: Sequence[BaselineLine], options: ElueOptions) -> tuple[Floats, int]:
    """The points that stand for a line of many, cheapest first, and how many lie outside; see `elue_study`."""
    outside = np.zeros(len(rows), dtype=np.bool_)
    if options.outside == "refuse":
        outside = np.any([line.outside(rows[:, 0]) for line in against], axis=0)
    inside = rows[~outside]
    inside = inside[np.argsort(inside[:, 0], kind="stable")]
    if len(inside) <= options.most_points:
        return inside, int(outside.sum())
    wanted = np.linspace(inside[0, 0], inside[-1, 0], options.most_points)
    nearest = np.unique([int(np.abs(inside[:, 0] - cost).argmin()) for cost in wanted])
    return inside[nearest], int(outside.sum())


def paired_interval(scores: Floats, confidence: float) -> Interval:
    """Mean of per-seed scores, each against the baseline of the same seed, with Student's t interval."""
    lower, upper = mean_interval(scores, confidence)
    return Interval(float(scores.mean()), lower, upper, f"{len(scores)} seeds, paired")


def welch_interval(scores: Floats, confidence: float) -> Interval:
    """Mean of scores[i, k], of the line's seed i against the baseline's seed k; see `elue_study`.

    Welch-Satterthwaite: nu = (a + b)^2 / (a^2 / (n - 1) + b^2 / (m - 1)) with a = var_i / n and b = var_k / m (Welch
    1947, Biometrika 34, 28-35).
    """
    n, m = scores.shape
    mean = float(scores.mean())
    if n == 1:
        return Interval(mean, math.nan, math.nan, "one seed: no interval")
    if m == 1:
        lower, upper = mean_interval(scores[:, 0], confidence)
        return Interval(mean, lower, upper, f"{n} seeds; the baseline has one")
    ours, theirs = scores.mean(axis=1).var(ddof=1) / n, scores.mean(axis=0).var(ddof=1) / m
    both = float(ours + theirs)
    if both == 0:
        return Interval(mean, mean, mean, f"{n} seeds, {m} of the baseline")
    freedom = both**2 / (ours**2 / (n - 1) + theirs**2 / (m - 1))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(both)
    return Interval(mean, mean - reach, mean + reach, f"{n} seeds, {m} of the baseline")


def _points_table(line: ScoredLine, seed: str, scores: Sequence[ElueScore]) -> pd.DataFrame:
    """One seed's points, cheapest first; scores: against each seed of the baseline that it is compared with."""
    rows, outside = scores[0].rows, np.any([score.outside for score in scores], axis=0)
    order = np.argsort(rows[:, 0], kind="stable")
    rows, at = rows[order], np.mean([score.at_baseline for score in scores], axis=0)[order]
    return pd.DataFrame(
        {
            "line": line.name, "seed": seed, "mflops": rows[:, 0], "points": rows[:, 1], "baseline": at,
            "difference": rows[:, 1] - at, "outside": outside[order],
        }
    )  # fmt: skip


def _baseline_table(against: Mapping[str, BaselineLine]) -> pd.DataFrame:
    """Mflops, points, seeds: each cost with the mean of the lines there, of the seeds whose range it is in."""
    costs = np.unique(np.concatenate([line.mflops for line in against.values()]))
    heights = np.array([np.where(line.outside(costs), np.nan, line.at(costs)) for line in against.values()])
    known = ~np.isnan(heights)
    return pd.DataFrame({"mflops": costs, "points": np.nanmean(heights, axis=0), "seeds": known.sum(axis=0)})


def _sentence(one: _ScoredSeeds, baseline: str, options: ElueOptions) -> str:
    mean, lower, upper, over = one.interval
    side = "above" if mean >= 0 else "below"
    height = f"{one.row['line']} lies {abs(mean):.2f} points {side} {baseline} at equal FLOPs"
    if math.isnan(lower):
        return f"{height} ({one.row['points']} points, {over})."
    told = "" if lower > 0 or upper < 0 else "; the two are not told apart"
    return f"{height} ({percent(options.confidence)} % interval {lower:+.2f} to {upper:+.2f}, over {over}){told}."


def unlike(line: ScoredLine, baseline: ScoredLine) -> str:
    """What makes two lines unfit for each other; "" if nothing is known to."""
    if line.task and baseline.task and line.task != baseline.task:
        return f"{line.name} is of the task {line.task}, and the baseline of {baseline.task}"
    if (
        line.counted is not None
        and baseline.counted is not None
        and line.counted.by_counter != baseline.counted.by_counter
    ):
        return f"the MFLOPs of {line.name} are {line.counted}, and those of the baseline {baseline.counted}"
    low, high = sorted((line, baseline), key=_largest_score)
    if _largest_score(low) <= 1 < _largest_score(high):
        return (
            f"the scores of {low.name} lie between -1 and 1 and those of {high.name} do not, so that one of the two "
            "seems to be in points (0 to 100) and the other not"
        )
    return ""


def _largest_score(line: ScoredLine) -> float:
    return max(float(np.abs(rows[:, 1]).max()) for rows in line.seeds.values())
