"""The expected best of k brackets, or of k sweeps, where trials are not independent draws but brackets are.

Under early stopping a trial's fate depends on the others in its bracket, so trial scores are neither independent nor
alike. The best score of a whole bracket is one draw, and brackets that began with different draws of one search are
independent and alike. The expected best of k of them is the tuning curve over bracket bests
(`analysis.curves.tuning_curve` with k brackets in place of n trials), unbiased, and no assumption about the scheduler
is needed.

The unit must be repeated whole: the brackets of one Hyperband band differ in kind, so there the band is the unit, or
the sweep, as here. One unit is one draw, and says nothing about the distribution it is a draw from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error, tuning_curve_std
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.tables import SweepTables

COLUMNS = ("units", "expected_best", "standard_deviation", "standard_error", "cost")
ONE_UNIT = (
    "there is one bracket (or sweep), which is one draw: its best score is what happened, and how much another would "
    "have found is not known; repeat the sweep with another search.seed, or simulate it from full curves"
)


@dataclass(frozen=True)
class ExpectedOverUnits:
    """Expected best over brackets or sweeps, or why there is none.

    curve: a row per k = 1 .. K: units (k), expected_best, standard_deviation (of the best of k, from search to search),
        standard_error (jackknife, NaN at k = K), cost (k x mean cost, NaN if unknown); empty if refused
    units: name, best, cost of every unit; refusal: why there is no curve, or ""
    """

    curve: pd.DataFrame
    units: pd.DataFrame
    refusal: str


def expected_best_of_brackets(
    bests: ArrayLike, costs: ArrayLike | None = None, names: Sequence[str] | None = None, *, minimize: bool = False
) -> ExpectedOverUnits:
    """The expected best of k independent brackets, k = 1 .. K.

    bests: [K] finite best scores of whole brackets; costs: [K], what each cost in all; names: for the table.
    Refuses fewer than two. Raises ValueError for scores that are not finite and columns of different length.
    """
    scores = np.asarray(bests, dtype=np.float64).reshape(-1)
    paid = np.full(scores.size, math.nan) if costs is None else np.asarray(costs, dtype=np.float64)
    labels = [str(k) for k in range(scores.size)] if names is None else list(names)
    if paid.shape != scores.shape or len(labels) != scores.size:
        raise ValueError(f"{scores.size} best scores, {paid.size} costs and {len(labels)} names do not fit together")
    units = pd.DataFrame({"name": labels, "best": scores, "cost": paid})
    if scores.size < 2:
        return _refused(ONE_UNIT, units)
    sizes = np.arange(1, scores.size + 1)
    curve = (
        sizes,
        tuning_curve(scores, sizes, minimize=minimize),
        tuning_curve_std(scores, sizes, minimize=minimize),
        tuning_curve_error(scores, sizes, minimize=minimize),
        sizes * paid.mean(),
    )
    return ExpectedOverUnits(pd.DataFrame(dict(zip(COLUMNS, curve, strict=True))), units, "")


def expected_best_of_sweeps(sweeps: Sequence[SweepTables], axis: str = "epochs") -> ExpectedOverUnits:
    """The expected best of k sweeps that differ in nothing but what their random search drew.

    A sweep's best: the mean over seeds of its best configuration whose seeds all ran to their end; its cost: the ledger
    on `axis`, NaN if not measured. Refused, with the reason: fewer than two sweeps, sweeps of different files (apart
    from name, search.seed, seeds.root, resources, budget, tracking), searches that are not random or drew the same
    configurations, sweeps that have not ended or have no such configuration.
    """
    units = pd.DataFrame(
        [{"name": _name(tables), "best": _best(tables), "cost": _cost(tables, axis)} for tables in sweeps],
        columns=["name", "best", "cost"],
    )
    refusal = ONE_UNIT if len(sweeps) < 2 else _not_alike(sweeps) or _not_ended(sweeps, units)
    if refusal:
        return _refused(refusal, units)
    minimize = metric_of(sweeps[0]).minimize
    return expected_best_of_brackets(units["best"], units["cost"], units["name"].tolist(), minimize=minimize)


def _not_alike(sweeps: Sequence[SweepTables]) -> str:
    """Why these are not independent draws of one search, or ""."""
    searches = [dict(tables.spec.get("search") or {}) for tables in sweeps]
    kinds = {str(search.get("name", "unknown")) for search in searches}
    if kinds != {"random"}:
        return f"the sweeps are no independent draws: their search is {', '.join(sorted(kinds))}, not random"
    first = _same(sweeps[0].spec)
    for tables in sweeps[1:]:
        other = _same(tables.spec)
        different = sorted(key for key in first | other if first.get(key) != other.get(key))
        if different:
            return (
                f"{_name(sweeps[0])} and {_name(tables)} are not draws of one search: they differ in "
                f"{', '.join(different)}"
            )
    seeds = [search.get("seed", 0) for search in searches]
    if len(set(seeds)) < len(seeds):
        return "two of the sweeps have the same search.seed, so they drew the same configurations"
    return ""


def _not_ended(sweeps: Sequence[SweepTables], units: pd.DataFrame) -> str:
    ended = {"finished", "stopped", "failed"}
    going = [_name(tables) for tables in sweeps if not set(tables.trials["status"]) <= ended]
    if going:
        return f"{', '.join(going)}: not all trials have ended, so the sweep's best is not known yet"
    without = units.loc[units["best"].isna(), "name"].tolist()
    return f"{', '.join(without)}: no configuration ran to its end with all its seeds" if without else ""


def _same(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What must agree between sweeps that are draws of one search."""
    free = {"name", "resources", "budget", "tracking", "accounting"}
    kept = {key: value for key, value in spec.items() if key not in free}
    for section, field in (("search", "seed"), ("seeds", "root")):
        if isinstance(kept.get(section), Mapping):
            kept[section] = {key: value for key, value in kept[section].items() if key != field}
    return kept


def _best(tables: SweepTables) -> float:
    table = configuration_table(tables)
    complete = table.loc[table["state"] == "complete", "score_mean"]
    return metric_of(tables).best(complete) if len(complete) else math.nan


def _cost(tables: SweepTables, axis: str) -> float:
    used = tables.ledger.loc[tables.ledger["axis"] == axis, "used"]
    return float(used.iloc[0]) if len(used) else math.nan


def _name(tables: SweepTables) -> str:
    return str(tables.facts.get("name", tables.spec.get("name", "sweep")))


def _refused(reason: str, units: pd.DataFrame) -> ExpectedOverUnits:
    return ExpectedOverUnits(pd.DataFrame(columns=list(COLUMNS)), units, reason)
