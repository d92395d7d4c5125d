"""What comparisons over trials and over a cost share: which groups, who leads where, and names of pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from greenexp.analysis.curves.draft import Draft
from greenexp.analysis.numbers.rounding import difference
from greenexp.records.arrays import Floats

MOST_COMPARED = 8
"""Groups that are compared pair by pair: with more, hardly any p-value stays below 0.05 after Holm's
correction, and the table is too long to read."""


def best_score(values: Floats, minimize: bool) -> float:
    """The best of `values`, of which some may be NaN."""
    return float(np.nanmin(values) if minimize else np.nanmax(values))


def compared_groups(values: Mapping[str, Floats], minimize: bool, draft: Draft) -> dict[str, Floats]:
    """The groups to compare pair by pair, in the order given: of many, those with the best scores."""
    if len(values) <= MOST_COMPARED:
        return dict(values)
    sign = -1.0 if minimize else 1.0
    ranked = sorted(values, key=lambda name: -sign * best_score(values[name], minimize))
    kept = set(ranked[:MOST_COMPARED])
    draft.notes.append(
        f"pairs are those of the {MOST_COMPARED} groups with the best scores; {len(values) - MOST_COMPARED} of "
        f"{len(values)} groups are in the leaders and curves alone"
    )
    return {name: each for name, each in values.items() if name in kept}


def top_two(values: Mapping[str, Floats], minimize: bool) -> tuple[str, str]:
    """The two groups with the best scores, the best first."""
    sign = -1.0 if minimize else 1.0
    first, second, *_ = sorted(values, key=lambda name: -sign * best_score(values[name], minimize))
    return first, second


def runs_of_leaders(curves: Floats, names: list[str], budgets: Floats, minimize: bool) -> pd.DataFrame:
    """Unbroken runs of budgets with the same best estimate: first, last, best (equal ones side by side).

    curves: [groups, B]; a NaN leads nowhere.
    """
    signed = np.where(np.isnan(curves), -np.inf, -curves if minimize else curves)
    best = signed.max(axis=0)
    equal = (difference(signed, best) == 0) & (signed > -np.inf)
    on_top = [" = ".join(np.array(names)[equal[:, k]]) or "none" for k in range(budgets.size)]
    frame = pd.DataFrame({"first": budgets, "last": budgets, "best": on_top})
    run = (frame["best"] != frame["best"].shift()).cumsum()
    return frame.groupby(run).agg({"first": "first", "last": "last", "best": "first"}).reset_index(drop=True)


def named_pair(frame: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """`a` and `b` in cells by their names, and the pair in front."""
    names = {"a": a, "b": b}
    cells = {column: frame[column].map(names) for column in frame.columns if str(column).startswith("better")}
    named = frame.assign(**cells)
    named.insert(0, "pair", f"{a}, {b}")
    return named
