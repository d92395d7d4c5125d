"""The rows of `greenexp curve` over numbers of trials: estimate, its error, its spread, and a band."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.curves.bands import NO_SUPPORT, confidence_band
from greenexp.analysis.curves.bootstrap import COVERAGE, bootstrap_interval
from greenexp.analysis.curves.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error, tuning_curve_std
from greenexp.analysis.numbers.budgets import round_numbers
from greenexp.cli.curve_beside import incumbent_of, test_of_winner
from greenexp.cli.curve_extrapolated import extrapolated_rows
from greenexp.cli.remarks import affordable, left_out, note
from greenexp.cli.score_tables import Group, ScoreTable
from greenexp.errors import InputError


def over_trials(table: ScoreTable, asked: dict[str, Any]) -> pd.DataFrame:
    """A row per group and budget: by, n, estimate, ..., lower, upper, trivial; see `greenexp curve --help`."""
    budgets = asked["budgets"]
    if budgets is not None and any(budget != int(budget) for budget in budgets):
        raise InputError("--budgets: without --cost they are numbers of trials, so whole ones")
    left_out(table, costs=False)
    frames = []
    for name, group in table.groups.items():
        if not group.scored.size:
            note(f"{name} has no score at all")
            continue
        n = budgets or round_numbers(group.scored.size)
        kept = affordable(name, n, group.scored.size, "has so many scores:")
        if kept:
            rows = _rows(name, group, np.array(kept, dtype=np.int64), table, asked)
            frames.append(extrapolated_rows(rows, name, group, table, asked) if asked["extrapolate"] else rows)
    if not frames:
        raise InputError("no group has a score, or as many as the smallest budget asks for")
    if asked["bootstrap"]:
        note(COVERAGE)
    frame = pd.concat(frames, ignore_index=True)
    if asked["extrapolate"] and not frame["extrapolated"].any():
        raise InputError("--extrapolate: no group can be extrapolated (see the notes)")
    return frame


def _rows(name: str, group: Group, n: np.ndarray, table: ScoreTable, asked: dict[str, Any]) -> pd.DataFrame:
    scores, estimator, minimize = group.scored, asked["estimator"], table.minimize
    mean = estimator in {"unbiased", "biased"}
    nothing = np.full(n.size, np.nan)
    trusted = not table.bound
    frame = pd.DataFrame({"by": name, "n": n, "scores": scores.size})
    frame["estimator"] = estimator if isinstance(estimator, str) else f"quantile {estimator:g}"
    frame["bound"] = table.bound
    frame["estimate"] = tuning_curve(scores, n, estimator, minimize)
    exact = estimator == "unbiased" and trusted
    frame["standard_error"] = tuning_curve_error(scores, n, minimize) if exact else nothing
    frame["standard_deviation"] = tuning_curve_std(scores, n, estimator, minimize) if mean else nothing
    if asked["test"]:
        frame["test_of_winner"] = test_of_winner(name, group, n, table, estimator)
    if asked["incumbent"]:
        frame["incumbent"] = incumbent_of(group.scored, table.minimize)[n - 1]
    if not trusted:
        return frame  # stopped by comparison with others, the values are no independent draws
    support = asked["support"] or NO_SUPPORT
    band_of = ("mean" if asked["support"] else "median") if mean else estimator
    if mean and band_of == "median":
        frame["median"] = tuning_curve(scores, n, "median", minimize)
    frame["band_of"] = band_of if isinstance(band_of, str) else f"quantile {band_of:g}"
    frame["confidence"] = asked["confidence"]
    band = tuning_curve_band(scores, n, asked["confidence"], band_of, asked["band"], support, minimize)
    for column in ("lower", "upper", "trivial"):
        frame[column] = band[column].to_numpy()
    if asked["bootstrap"]:
        rng = np.random.default_rng(asked["seed"])
        interval = bootstrap_interval(scores, n, rng, asked["confidence"], estimator, minimize)
        frame["bootstrap_lower"], frame["bootstrap_upper"] = interval["lower"], interval["upper"]
    _remarks(name, group, table, asked, band_of)
    return frame


def _remarks(name: str, group: Group, table: ScoreTable, asked: dict[str, Any], band_of: str | float) -> None:
    of = f"{name}: " if table.by is not None else ""
    if group.ties:
        note(
            f"{of}{group.ties} of {group.scored.size} scores repeat another; the band then holds with more than "
            f"{100 * asked['confidence']:g} %"
        )
    if band_of == "mean":
        return
    sign, (least, most) = (-1.0 if table.minimize else 1.0), asked["support"] or NO_SUPPORT
    ends = (-most, -least) if table.minimize else (least, most)
    band = confidence_band(sign * group.scored, asked["confidence"], asked["band"], ends)
    level = 0.5 if band_of == "median" else float(band_of)
    last = trivial_above(band, 1 - level if table.minimize else level)
    if math.isfinite(last) and last < group.scored.size:
        end = "lower" if table.minimize else "upper"
        note(f"{of}above n = {last:g} the {end} bound is only the end of the support")
