"""What the whole front of a random search is worth after n trials, in the unit of the score.

With F the full price and the score larger-is-better, the hypervolume of a front above the reference (F, 0) is

    integral_0^F best(x) dx,    best(x): best score of the points that cost at most x, 0 where nothing is so cheap

so hypervolume / F is the best score within a price, averaged over all prices from nothing to the full one. Where a
smaller score is better there is no such zero: the reference is the worst score on a trial's own front, and the value is
the mean improvement over it. The full price is that of the dearest operating point seen on such a front.

The unit of the search is the configuration, its seeds are nested in it: a trial here is a configuration trained once.
With the same seeds for all configurations, the curve is computed for each seed over the configurations
(`expected_hypervolume`, unbiased), and averaged over seeds; the standard deviation between seeds stands beside it,
which is not the uncertainty of having drawn these configurations. With folds the same is done for each seed and fold,
and the value of a seed is the mean over its folds. A trial that failed counts as one that adds nothing.

Assumptions: configurations drawn independently (random search), each trained to its end: unlike the best score so far,
the front of a trial that was stopped early is no bound of what full training gives, as single exits can get worse.
So nothing may have been stopped or be under way. Operating points were chosen on the dev set that scores them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.fronts.attainment import LEVELS, attainment
from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.analysis.sweeps.repetitions import FOLD, SEEDS
from greenexp.records.tables import SweepTables

CURVE = ("trials", "value", "standard_deviation")
_COLUMNS = ["inference_flops", "score"]
_REPETITION = [*SEEDS, FOLD]
_MOST_SIZES = 200


@dataclass(frozen=True, eq=False)
class FrontOverTrials:
    """The curve, or why there is none; see the module.

    curve: trials (n), value (mean over seeds), standard_deviation (between seeds, n - 1; NaN for one); per_seed: seed,
    trials, value; both empty if refused. reference: (full price in FLOPs per example, score); failed: trials without
    points that count as adding nothing
    """

    curve: pd.DataFrame
    per_seed: pd.DataFrame
    reference: tuple[float, float]
    refusal: str
    failed: int = 0


def front_over_trials(tables: SweepTables) -> FrontOverTrials:
    """Expected normalised hypervolume over n = 1 .. configurations; see the module."""
    metric = metric_of(tables)
    points = _own_fronts(tables, metric)
    refusal = _refusal(tables, points)
    if refusal:
        empty = pd.DataFrame(columns=list(CURVE))
        return FrontOverTrials(empty, pd.DataFrame(columns=["seed", *CURVE[:2]]), (math.nan, math.nan), refusal)
    price = float(points["inference_flops"].max())
    zero = float(points["score"].max()) if metric.minimize else 0.0
    total = tables.trials["configuration"].nunique()
    sizes = np.unique(np.rint(np.geomspace(1, total, min(total, _MOST_SIZES))).astype(int))
    sizes = np.arange(1, total + 1) if total <= _MOST_SIZES else sizes
    # A row of NaN for every trial, so that those without points are counted too.
    rows = pd.concat([points, tables.trials[["trial"]]], ignore_index=True)
    rows = rows.merge(tables.trials[["trial", *_REPETITION]], on="trial")
    parts = []
    for seed, group in rows.groupby(_REPETITION, sort=True, dropna=False):
        volumes = expected_hypervolume(
            group[_COLUMNS].to_numpy(), sizes, (price, zero), "unbiased", ("min", metric.mode), group["trial"].tolist()
        )
        name = "-".join(str(part) for part in seed[: len(SEEDS)])
        parts.append(pd.DataFrame({"seed": name, "trials": sizes, "value": volumes / price}))
    per_seed = pd.concat(parts).groupby(["seed", "trials"], sort=False)["value"].mean().reset_index()
    groups = per_seed.groupby("trials", sort=True)["value"]
    curve = pd.DataFrame({"value": groups.mean(), "standard_deviation": groups.std()}).reset_index()
    failed = int((tables.trials["status"] == "failed").sum())
    return FrontOverTrials(curve[list(CURVE)], per_seed, (price, zero), "", failed)


def attained_fronts(tables: SweepTables) -> tuple[str, pd.DataFrame]:
    """The chosen configuration, and the fronts that a quarter, half and three quarters of its seeds attain.

    A row per corner, cheapest first, and one where all curves end, at the dearest corner: level (the largest share the
    curve stands for), trials (how many attain it), inference_flops, score. Shares that need the same number of trials
    are one curve. ("", empty) if no configuration has a score from all its seeds, or the chosen one has no points.
    """
    metric = metric_of(tables)
    ranked = configuration_table(tables).dropna(subset=["score_mean"])
    names = ["level", "trials", *_COLUMNS]
    if ranked.empty:
        return "", pd.DataFrame(columns=names)
    chosen = str(ranked["configuration"].iloc[0])
    trials = tables.trials.loc[tables.trials["configuration"] == chosen, "trial"]
    points = _own_fronts(tables, metric, set(trials))
    if points.empty:
        return chosen, pd.DataFrame(columns=names)
    rows = pd.concat([points, pd.DataFrame({"trial": trials})], ignore_index=True)
    found = attainment(rows[_COLUMNS].to_numpy(), rows["trial"].tolist(), LEVELS, ("min", metric.mode))
    found = found.set_axis(names, axis=1).sort_values(["trials", "level"], ascending=[True, False], kind="stable")
    found = found.drop_duplicates(["trials", *_COLUMNS])
    ends = found.drop_duplicates("trials", keep="last").assign(inference_flops=found["inference_flops"].max())
    order = ["trials", "inference_flops"]
    return chosen, pd.concat([found, ends]).drop_duplicates(names[1:]).sort_values(
        order, ignore_index=True, kind="stable"
    )


def _own_fronts(tables: SweepTables, metric: SweepMetric, trials: set[str] | None = None) -> pd.DataFrame:
    """Name and _COLUMNS of the operating points that are on their own trial's front: no other counts in a union.

    trials: the only ones that are asked for; None: all
    """
    points = operating_front(tables).dropna(subset=_COLUMNS)[["trial", *_COLUMNS]]
    points = points if trials is None else points[points["trial"].isin(trials)]
    kept = [
        group[pareto_front(group[_COLUMNS].to_numpy(), ("min", metric.mode))].drop_duplicates()
        for _, group in points.groupby("trial", sort=False)
    ]
    return pd.concat(kept, ignore_index=True) if kept else points


def _refusal(tables: SweepTables, points: pd.DataFrame) -> str:
    """Why there is no curve, or an empty string."""
    trials = tables.trials
    refused = expected_best(tables).refusal
    if refused and points["trial"].nunique() and not refused.startswith("no configuration has a score"):
        return refused
    stopped = int((trials["status"] == "stopped").sum())
    left = int((~trials["status"].isin(["finished", "failed", "stopped"])).sum())
    if stopped or left:
        parts = [f"{stopped} of {len(trials)} trials were stopped early"] if stopped else []
        parts += [f"{left} of {len(trials)} have not ended"] if left else []
        return (
            f"{' and '.join(parts)}, and a front on the way is neither the front after full training nor a bound of it"
        )
    if points.empty:
        return "no trial has an operating point with a score and FLOPs"
    if not points["trial"].duplicated().any():
        return "no trial has a second operating point that is worth its price, so there is no front to speak of"
    sets = trials.groupby(_REPETITION, dropna=False)["configuration"].agg(frozenset)
    if len(set(sets)) > 1 or trials.duplicated(["configuration", *_REPETITION]).any():
        return "not every configuration was trained once with each of the same seeds"
    return "" if len(set(trials["configuration"])) > 1 else "there is one configuration, and that is no search"
