"""What the end of a sweep's tuning curve gained, and what that cost, as `analysis.search.price_tag` defines it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.curves.best_so_far import best_so_far
from greenexp.analysis.curves.evp import ExpectedBest
from greenexp.analysis.numbers.rounding import difference
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.units import format_quantity

COLUMNS = ("axis", "unit", "gain", "cost", "per_point")
POINT = 0.01
"""A point of a score: a percentage point of an accuracy."""
PAID_IN = ("train_flops", "wall_s", "gpu_s", "energy_j", "carbon_g", "money")
_NAMED = ("money", "energy_j", "train_flops", "wall_s")
_MOST_NAMED = 2
_TITLES = {"energy_j": " of energy", "train_flops": " of training", "wall_s": " of worker time"}


@dataclass(frozen=True)
class LastGain:
    """The last gain of a sweep.

    table: a row per measured axis: gain (metric's unit, at least 0), cost (what it cost), per_point (NaN if flat)
    expected: whether it is that of the expected best, otherwise of the best so far
    configurations: with a score; unimproved: of them, the number since the last improvement of the best so far
    bound: what the scores behind it are of those after full training, "" where all trials trained to their end
    refusal: why there is none, or ""
    """

    table: pd.DataFrame
    expected: bool = False
    configurations: int = 0
    unimproved: int = 0
    bound: str = ""
    refusal: str = ""

    @property
    def gain(self) -> float:
        """The same on every axis; NaN with a refusal."""
        return float(self.table["gain"].iloc[0]) if len(self.table) else math.nan


def last_gain(tables: SweepTables, curve: ExpectedBest) -> LastGain:
    """The last gain; curve: the sweep's expected best, or why it has none."""
    order = tables.trials.sort_values("index", kind="stable")["configuration"].drop_duplicates()
    configurations = configuration_table(tables).set_index("configuration").reindex(order)
    scored = configurations["score_mean"].notna()
    minimize = metric_of(tables).minimize
    values = configurations.loc[scored, "score_mean"].astype("float64")
    empty = pd.DataFrame(columns=list(COLUMNS))
    if len(values) < 2:
        why = "fewer than two configurations have a score"
        return LastGain(empty, configurations=len(values), refusal=why)
    scores = values.to_numpy()
    best = best_so_far(scores, minimize)
    steps = [place for place in range(1, len(best)) if difference(best[place], best[place - 1]) != 0]
    last = steps[-1] if steps else 0
    expected = not curve.refusal and len(curve.curve) >= 2 and len(curve.values) == len(values)
    if expected:
        ends, numbers = (curve.curve[name].tolist()[-2:] for name in ("expected_best", "configurations"))
        gain = abs(ends[1] - ends[0]) / (numbers[1] - numbers[0])
        part = pd.Series(1 / len(values), index=configurations.index)
    else:
        before = best[max(0, last - 1)]
        gain = abs(float(best[-1] - before))
        first = values.index[int(np.flatnonzero(scores == before)[0])]  # what the best before was reached with
        part = pd.Series((configurations.index == first).cumsum(), index=configurations.index, dtype="float64")
        part[first] = 0.0
    gain = 0.0 if difference(gain, 0.0) == 0 else gain
    rows = [_row(axis, configurations, part, gain) for axis in PAID_IN if _measured(configurations, axis)]
    return LastGain(pd.DataFrame(rows, columns=list(COLUMNS)), expected, len(values), len(best) - 1 - last, curve.bound)


def _measured(configurations: pd.DataFrame, axis: str) -> bool:
    """Whether every configuration that began has a cost on the axis, and some have one that is more than 0."""
    began = configurations[configurations["epochs"] > 0]
    return bool(began[axis].notna().all() and began[axis].sum() > 0)


def _row(axis: str, configurations: pd.DataFrame, part: pd.Series[float], gain: float) -> tuple[object, ...]:
    cost = float((configurations[axis].fillna(0.0) * part).sum())
    return (axis, AXES[axis].unit, gain, cost, POINT * cost / gain if gain > 0 else math.nan)


def sentences_of_gain(found: LastGain, tables: SweepTables) -> tuple[str, ...]:
    """The last gain and the price of a point in words."""
    metric = metric_of(tables)
    if found.refusal or not len(found.table):
        why = found.refusal or "no cost was measured for every configuration"
        return (f"What one more point costs is not known: {why}.",)
    rows = {str(row["axis"]): row for row in found.table.to_dict("records")}
    named = [axis for axis in _NAMED if axis in rows][:_MOST_NAMED]
    since = (
        "the last configuration improved the best so far"
        if not found.unimproved
        else f"the last {found.unimproved} of {found.configurations} configurations did not improve the best so far"
    )
    paid = _paid(rows, named, "cost", tables)
    if found.gain == 0:
        flat = "The tuning curve is flat at its end: no price of a further point follows"
        return (f"{flat}, and {since}. The last gain of 0 cost {paid}.",)
    what = (
        f"The last of {found.configurations} configurations raised the expected best"
        if found.expected
        else "The last improvement raised the best so far"
    )
    how = "by" if not metric.minimize else "(a smaller score is better) by"
    price = f"at this rate one more point ({POINT} of the score) costs {_paid(rows, named, 'per_point', tables)}"
    return (f"{what} {how} {found.gain:.2g} {metric.label} for {paid}: {price}. {since[0].upper()}{since[1:]}.",)


def _paid(rows: Mapping[str, Mapping[object, object]], named: list[str], column: str, tables: SweepTables) -> str:
    texts = []
    for axis in named:
        unit = AXES[axis].unit
        unit = str(tables.spec.accounting.currency or "money") if unit == "money" else unit
        texts.append(f"{format_quantity(float(str(rows[axis][column])), unit)}{_TITLES.get(axis, '')}")
    return " or ".join(texts) if column == "per_point" else " and ".join(texts)
