"""The rows of `greenexp curve --extrapolate`: beyond the trials that were made, by a model, with its back-test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.extrapolate import Extrapolation, extrapolate
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.cli.remarks import note, warn
from greenexp.cli.score_tables import Group, ScoreTable
from greenexp.errors import InputError

_MOST = 20
"""Budgets: each is back-tested at its own factor, by twenty fits."""


def extrapolated_rows(
    rows: pd.DataFrame, name: str, group: Group, table: ScoreTable, asked: dict[str, Any]
) -> pd.DataFrame:
    """`rows` and below them one for each of --extrapolate that is beyond the group's trials; all say which they are.

    Only quantiles are extrapolated: beside an expected best that is the median, in a column of its own. Each budget is
    back-tested by itself, so the errors are of its factor, or of the largest that the trials allow (`tested_factor`).
    """
    budgets, of = asked["extrapolate"], f"{name}: " if table.by is not None else ""
    _check(budgets, table)
    mean = asked["estimator"] in {"unbiased", "biased"}
    level, column = ("median", "median") if mean else (asked["estimator"], "estimate")
    scores = group.scored
    if mean and "median" not in rows:
        rows["median"] = tuning_curve(scores, rows["n"].to_numpy(), "median", table.minimize)
    rows["extrapolated"] = False
    beyond = [int(budget) for budget in budgets if budget > scores.size]
    if len(beyond) < len(budgets):
        note(f"{of}up to {scores.size} trials the curve itself is known: extrapolated only beyond")
    found = []
    for n in beyond:
        rng = np.random.default_rng(asked["seed"])
        support = asked["support"] or NO_SUPPORT
        try:
            made = extrapolate(scores, [n], rng, estimator=level, support=support, minimize=table.minimize)
        except ValueError as error:
            note(f"{of}not extrapolated: {error}")
            break
        found.append(_row(made, n, column))
        _remarks(of, made, n, scores, table)
    if not found:
        return rows
    same = {key: rows[key].iloc[0] for key in ("by", "scores", "estimator", "bound", "band_of", "confidence")}
    made_rows = pd.DataFrame(found).assign(**same)
    # Flags as objects, so that one that does not apply is missing and not a number.
    return pd.concat([rows.astype({"trivial": object}), made_rows.astype({"extrapolated": bool})], ignore_index=True)


def _row(made: Extrapolation, n: int, column: str) -> dict[str, Any]:
    return {
        "n": n,
        column: float(made.table["best"].iloc[0]),
        "extrapolated": True,
        "back_test_error": made.rms_error,
        "error_without": made.rms_error_without,
        "tested_factor": made.tested_factor,
    }


def _remarks(of: str, made: Extrapolation, n: int, scores: np.ndarray, table: ScoreTable) -> None:
    best = float(made.table["best"].iloc[0])
    note(f"{of}n = {n} is extrapolated from {scores.size} trials, for random search alone. {made.summary}")
    asked, tested = n / scores.size, made.tested_factor
    if tested < 0.9 * asked:
        warn(f"{of}n = {n} is {asked:.3g} times the trials made, and only the factor {tested:.3g} could be tested")
    if made.rms_error >= made.rms_error_without:
        warn(
            f"{of}the model loses its own back-test at n = {n}: it errs by {made.rms_error:.3g}, and the best score "
            f"seen, taken for the answer, by {made.rms_error_without:.3g}. Do not rely on this row"
        )
    seen = float(scores.min() if table.minimize else scores.max())
    if best > seen if table.minimize else best < seen:
        note(f"{of}the model's value at n = {n} is worse than the best score already seen, {seen:.5g}")


def _check(budgets: tuple[float, ...], table: ScoreTable) -> None:
    if any(budget != int(budget) for budget in budgets) or len(budgets) > _MOST:
        raise InputError(f"--extrapolate: expected at most {_MOST} whole numbers of trials")
    if table.bound:
        raise InputError(f"--extrapolate: trials were stopped early, and a model of {table.bound}s says nothing")
