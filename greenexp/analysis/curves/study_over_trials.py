"""Tuning curves over numbers of trials: estimate, its error and its spread, a band, and what is asked for beside."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.curves.bands import NO_SUPPORT, confidence_band
from greenexp.analysis.curves.best_so_far import best_so_far
from greenexp.analysis.curves.bootstrap import COVERAGE, bootstrap_interval
from greenexp.analysis.curves.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.curves.draft import Draft, groups_with_scores, prefix
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.study_extrapolation import extrapolated_rows
from greenexp.analysis.curves.tuning_curve import (
    MEDIAN,
    Estimator,
    quantile_level,
    tuning_curve,
    tuning_curve_error,
    tuning_curve_std,
)
from greenexp.analysis.curves.winner import expected_test_of_winner
from greenexp.analysis.numbers.budgets import round_numbers, within_reach
from greenexp.analysis.numbers.trial_numbers import counted, whole
from greenexp.records.arrays import Floats
from greenexp.records.scores import ScoreGroup, Scores

Integers = NDArray[np.int64]


def over_trials(scores: Scores, options: CurveOptions, draft: Draft) -> str:
    """Fill `draft` with the curves over numbers of trials; why there are none, or ""."""
    budgets = None if options.budgets is None else whole(options.budgets)
    groups = groups_with_scores(scores, draft)
    if not groups:
        return "no trial has a score"
    for name, group in groups.items():
        total = group.scored.size
        kept, beyond = within_reach(budgets or round_numbers(total), total)
        if beyond:
            draft.notes.append(
                f"{name} has {counted(total, 'score')}; nothing is known beyond, so {beyond} are left out"
            )
        if kept:
            _curve_of(name, group, np.array(kept, dtype=np.int64), scores, options, draft)
        if kept and options.extrapolate:
            extrapolated_rows(name, group.scored, scores, options, draft)
    if "curve" not in draft.rows:
        return f"no group has as many scores as the smallest budget, {min(budgets or (1,))}"
    if options.extrapolate and "extrapolated" not in draft.rows:
        return "no group can be extrapolated (see the notes)"
    if options.bootstrap:
        draft.notes.append(COVERAGE)
    draft.titles |= _titles(scores, options)
    return ""


def _curve_of(name: str, group: ScoreGroup, n: Integers, scores: Scores, options: CurveOptions, draft: Draft) -> None:
    """The rows of one group, what must be known of them, and a sentence."""
    values, minimize, trusted = group.scored, scores.minimize, not scores.bound
    nothing = np.full(n.size, np.nan)
    frame = pd.DataFrame({"by": name, "n": n, "scores": values.size, "estimator": options.statistic})
    frame["bound"] = scores.bound
    frame["estimate"] = tuning_curve(values, n, options.estimator, minimize)
    exact = options.estimator == "unbiased" and trusted
    frame["standard_error"] = tuning_curve_error(values, n, minimize) if exact else nothing
    kind: Estimator = "biased" if options.estimator == "biased" else "unbiased"
    frame["standard_deviation"] = tuning_curve_std(values, n, kind, minimize) if options.of_mean else nothing
    if scores.test is not None:
        frame["test_of_winner"] = _winner_on_test(name, group, n, scores, kind, draft)
    if options.best_so_far:
        frame["best_so_far"] = best_so_far(values, minimize)[n - 1]
    median = None
    # Stopped by comparison with others, values are no independent draws, and no band holds.
    if trusted:
        of_median = options.of_mean and options.support is None
        band = _band(values, n, "median" if of_median else None, options, minimize)
        if of_median:
            curve = tuning_curve(values, n, MEDIAN, minimize)
            median = pd.DataFrame({"by": name, "n": n, "scores": values.size, "median": curve}).join(band)
        else:
            frame = frame.join(band)
        if options.bootstrap:
            rng = np.random.default_rng(options.seed)
            interval = bootstrap_interval(values, n, rng, options.confidence, options.estimator, minimize)
            frame["bootstrap_lower"], frame["bootstrap_upper"] = interval["lower"], interval["upper"]
        _band_notes(name, values, scores, options, draft)
    draft.add("curve", frame)
    if median is not None:
        draft.add("median", median)
    draft.verdict.append(_sentence(name, frame, median, scores, options))


def _band(values: Floats, n: Integers, of: str | None, options: CurveOptions, minimize: bool) -> pd.DataFrame:
    """confidence, lower, upper, trivial of the band of the estimate, or of what `of` says."""
    kind = of or ("mean" if options.of_mean else options.estimator)
    support = options.support or NO_SUPPORT
    band = tuning_curve_band(values, n, options.confidence, kind, options.band, support, minimize)
    return band[["lower", "upper", "trivial"]].assign(confidence=options.confidence)


def _winner_on_test(name: str, group: ScoreGroup, n: Integers, scores: Scores, kind: Estimator, draft: Draft) -> Floats:
    """Expected test score of the best of n trials that have both scores, NaN where there are fewer.

    The expectation is without replacement unless the curve beside it is with.
    """
    of, values, tests = prefix(scores, name), group.scores, group.tests
    scored = ~np.isnan(values)
    both = scored & np.isfinite(tests)
    expected = np.full(n.size, np.nan)
    if not both.any():
        raise ValueError(f"{of}no trial has both a score and a test score")
    lacking = scored & ~both
    if lacking.any():
        draft.notes.append(
            f"{of}{int(lacking.sum())} of {int(scored.sum())} trials with a score have no test score; the test column "
            f"is about the other trials, and holds if it is chance which these are (mean {scores.score}: "
            f"{values[both].mean():.4g} with a test score, {values[lacking].mean():.4g} without)"
        )
    known = n <= int(both.sum())
    expected[known] = expected_test_of_winner(values[both], tests[both], n[known], kind, scores.minimize)
    return expected


def _band_notes(name: str, values: Floats, scores: Scores, options: CurveOptions, draft: Draft) -> None:
    """What must be known of the band: ties, and from where on it says nothing."""
    of, percent = prefix(scores, name), f"{100 * options.confidence:g} %"
    ties = values.size - np.unique(values).size
    if ties:
        draft.notes.append(
            f"{of}{ties} of {values.size} scores repeat another score; the band then holds with more than {percent}"
        )
    level = quantile_level("median" if options.of_mean and options.support is None else options.estimator)
    if level is None:
        return
    sign, (least, most) = (-1.0 if scores.minimize else 1.0), options.support or NO_SUPPORT
    ends = (-most, -least) if scores.minimize else (least, most)
    band = confidence_band(sign * values, options.confidence, options.band, ends)
    last = trivial_above(band, 1 - level if scores.minimize else level)
    if math.isfinite(last) and last < values.size:
        end = "lower" if scores.minimize else "upper"
        where = f"above n = {last:g}" if last >= 1 else "at every n"
        draft.notes.append(
            f"{of}with {counted(values.size, 'score')}, nothing bounds how good the best can be {where}: the {end} "
            "bound is the end of the support there"
        )


def _sentence(
    name: str, frame: pd.DataFrame, median: pd.DataFrame | None, scores: Scores, options: CurveOptions
) -> str:
    """What to expect of the largest number of trials of which the estimate is not yet that of nearly all."""
    total = int(frame["scores"].iloc[0])
    place = max([row for row, n in enumerate(frame["n"]) if 2 * n <= total], default=0)
    first, row = frame.iloc[0], frame.iloc[place]
    noun = scores.trials if scores.trials in {"configuration", "run"} else "trial"
    least = {"lower bound": "at least ", "upper bound": "at most "}.get(scores.bound, "")
    value = f"{least}{row['estimate']:.4g}"
    if options.of_mean:
        subject = f"the best of {counted(int(row['n']), noun)} is expected to score"
        error = float(row["standard_error"])
        value += f" (standard error {error:.2g})" if math.isfinite(error) else ""
    else:
        what = MEDIAN if options.estimator == MEDIAN else f"{float(options.estimator):g} quantile"
        subject = f"the {what} of the best of {counted(int(row['n']), noun)} is"
    one = f", one {noun} alone {least}{first['estimate']:.4g}" if first["n"] == 1 < row["n"] else ""
    cut = "; trials were stopped early or have not ended, so these are"
    why = f"{cut} {scores.bound}s" if scores.bound else ""
    sentence = f"{prefix(scores, name)}{subject} {value}{one}{why}."
    parts = [f"{sentence[0].upper()}{sentence[1:]}" if scores.by is None else sentence]
    banded = median if median is not None else frame if "lower" in frame else None
    if banded is not None:
        parts.append(_band_sentence(banded.iloc[place], own=median is None, options=options))
    if "test_of_winner" in frame and frame["test_of_winner"].notna().iloc[place]:
        parts.append(f"Its expected {scores.test} is {row['test_of_winner']:.4g}.")
    return " ".join(part for part in parts if part)


def _band_sentence(row: pd.Series[float], *, own: bool, options: CurveOptions) -> str:
    """Between which bounds the curve lies, as far as they are finite."""
    lower, upper = float(row["lower"]), float(row["upper"])
    ends = [f"at least {lower:.4g}" * math.isfinite(lower), f"at most {upper:.4g}" * math.isfinite(upper)]
    bounds = " and ".join(end for end in ends if end)
    if not bounds:
        return ""
    what = "That curve" if own else "The median of the best"
    return f"{what} is {bounds} ({100 * options.confidence:g} % band, which holds at all n together)."


def _titles(scores: Scores, options: CurveOptions) -> dict[str, str]:
    what = {"unbiased": "expected best score", "biased": "expected best score (biased)", MEDIAN: "median best score"}
    statistic = what.get(str(options.estimator), f"{options.statistic} of the best score")
    bound = f", a {scores.bound}" if scores.bound else ""
    percent = f"{100 * options.confidence:g} %"
    band = (
        f", with a band of {percent}" if not scores.bound and not (options.of_mean and options.support is None) else ""
    )
    return {
        "curve": f"{statistic[0].upper()}{statistic[1:]} of n {scores.trials or 'trial'}s{bound}{band}",
        "median": f"Median of the best score of n trials, with a band of {percent} that holds at all n together",
        "extrapolated": "Beyond the trials made, by a model of the best scores, with the error of its back-test",
    }
