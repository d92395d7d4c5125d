"""The tables of `greenexp compare` at equal numbers of trials."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.comparing.compare import compare_at, crossings, percent, regions
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.numbers.budgets import round_numbers
from greenexp.cli.remarks import affordable, note
from greenexp.cli.score_tables import ScoreTable
from greenexp.errors import InputError

Floats = NDArray[np.float64]
_MOST_LOOKED_AT = 200


def compare_trials(table: ScoreTable, asked: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """leaders, pairs, regions and crossings; pairs at the budgets asked for or round numbers, the rest between too."""
    scores = {name: group.scored for name, group in table.groups.items() if group.scored.size}
    for name in table.groups.keys() - scores.keys():
        note(f"{name} has no score at all")
    if len(scores) < 2:
        raise InputError("a comparison needs two groups with a score")
    if asked["budgets"] and any(budget != int(budget) for budget in asked["budgets"]):
        raise InputError("--budgets: without --cost they are numbers of trials, so whole ones")
    fewest = min(values.size for values in scores.values())
    shown = affordable("the smallest group", asked["budgets"] or round_numbers(fewest), fewest, "has so many scores:")
    if not shown:
        raise InputError(f"--budgets: the smallest group has {fewest} scores")
    for name, values in scores.items():
        if np.unique(values).size < values.size:
            note(f"{name}: {values.size - np.unique(values).size} of {values.size} scores repeat another")
    looked = looked_at(fewest, shown)
    pairs, parts, changes = [], [], []
    for a, b in itertools.combinations(scores, 2):
        found = _compared(scores[a], scores[b], looked, table, asked)
        pairs.append(found[found["budget"].isin(shown)].assign(a=a, b=b))
        parts.append(named_pair(regions(found), a, b))
        changes.append(named_pair(crossings(found, table.minimize), a, b))
    banded = asked["support"] is not None or asked["estimator"] not in {"unbiased", "biased"}
    if not banded:
        note("no bands: those of an expected best need --support LEAST,MOST; curves of the median need none")
    return {
        "leaders": leaders(scores, looked, table, asked["estimator"]),
        "pairs": _with_tests(pd.concat(pairs, ignore_index=True), scores, shown, table, asked, banded),
        **({"regions": pd.concat(parts, ignore_index=True)} if banded else {}),
        "crossings": pd.concat(changes, ignore_index=True),
    }


def looked_at(last: int, shown: tuple[float, ...]) -> NDArray[np.int64]:
    """1 .. last; of more than 200 budgets, some in equal ratios, and those that are shown."""
    between = np.arange(1, last + 1)
    if last > _MOST_LOOKED_AT:
        between = np.rint(np.geomspace(1, last, _MOST_LOOKED_AT))
        note(f"looked at {np.unique(between).size} budgets from 1 to {last}")
    return np.unique(np.concatenate((between, shown))).astype(np.int64)


def leaders(
    scores: Mapping[str, Floats], looked: NDArray[np.int64], table: ScoreTable, estimator: str | float
) -> pd.DataFrame:
    """Unbroken runs of budgets with the same best estimate: first, last, best (equal ones side by side)."""
    curves = np.array([tuning_curve(values, looked, estimator, table.minimize) for values in scores.values()])
    return runs_of_leaders(curves, list(scores), looked.astype(np.float64), table.minimize)


def runs_of_leaders(curves: Floats, names: list[str], budgets: Floats, minimize: bool) -> pd.DataFrame:
    """The same from curves, [groups, B]; a NaN leads nowhere."""
    signed = np.where(np.isnan(curves), -np.inf, -curves if minimize else curves)
    best = signed.max(axis=0)
    on_top = [
        " = ".join(name for name, at in zip(names, signed[:, k], strict=True) if at == best[k] > -np.inf) or "none"
        for k in range(budgets.size)
    ]
    frame = pd.DataFrame({"first": budgets, "last": budgets, "best": on_top})
    run = (frame["best"] != frame["best"].shift()).cumsum()
    return frame.groupby(run).agg({"first": "first", "last": "last", "best": "first"}).reset_index(drop=True)


def _compared(
    a: Floats, b: Floats, looked: NDArray[np.int64], table: ScoreTable, asked: dict[str, Any]
) -> pd.DataFrame:
    return compare_at(
        a,
        b,
        looked,
        estimator=asked["estimator"],
        confidences=asked["confidences"],
        method=asked["band"],
        support=asked["support"] or NO_SUPPORT,
        minimize=table.minimize,
    )


def named_pair(frame: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """`a` and `b` in cells by their names, and the pair in front."""
    names = {"a": a, "b": b}
    cells = {column: frame[column].map(names) for column in frame.columns if str(column).startswith("better")}
    named = frame.assign(**cells)
    named.insert(0, "pair", f"{a}, {b}")
    return named


def _with_tests(
    pairs: pd.DataFrame,
    scores: Mapping[str, Floats],
    shown: tuple[float, ...],
    table: ScoreTable,
    asked: dict[str, Any],
    banded: bool,
) -> pd.DataFrame:
    """The pairs' rows with p-values, and what is printed of them."""
    rng = np.random.default_rng(asked["seed"])
    tests = compare_pairwise(scores, [int(budget) for budget in shown], rng, table.minimize)
    rows = pairs.merge(tests[["a", "b", "budget", "p", "p_holm"]], on=["a", "b", "budget"], how="left")
    note(
        f"p: that a and b draw from one distribution, by permuting scores; p_holm: corrected for all {len(rows)} rows"
        + (". Bands hold for one pair at a time, at all its budgets together" if banded else "")
    )
    confidences = [percent(at) for at in asked["confidences"]] if banded else []
    for name in confidences:
        apart = rows[f"apart_{name}"]
        rows[f"apart_{name}"] = rows["a"].where(apart == "a", rows["b"].where(apart == "b", ""))
    columns = ["a", "b", "budget", "curve_a", "curve_b", "difference"]
    columns += [f"{side}_{name}" for name in confidences for side in ("lower", "upper", "apart")]
    return rows[[*columns, "probability_better", "p", "p_holm"]]
