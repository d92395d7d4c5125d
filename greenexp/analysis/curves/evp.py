"""Which expected-best curves a sweep allows, and the curve that is legitimate.

The unit of a random search that is drawn independently is the configuration; its seeds are nested in it. So the curve
is over n configurations, and a configuration's value is the mean of its trials' scores.

* A trial stopped early, interrupted or still running has its best dev value so far, which full training can only
  improve on. The curve of such values is a bound of the curve of full scores: each value is, and the estimator is
  monotone in every value. It is labelled as a bound, with the number of trials behind it.
* Seeds that a scheduler gave up before they began leave means over different numbers of seeds, of which the best is too
  good by more noise: refused.
* Seeds that a scheduler stopped apart were trained for lengths that depend on each seed's own luck: refused.
* A configuration with a failed seed has no value. The curve is over configurations that give a score, and says so.
* Grids and listed points are not draws: refused. So are searches whose choice depends on earlier results.
* With a search for each value of a field (`search.per`) the numbers of draws are chosen for each value, so that the
  configurations of a value are draws of one distribution, and all together are not: only groups by this field.
* Over cost: see `analysis.curves.evp_over_cost`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.curves.tuning_curve import Estimator, tuning_curve, tuning_curve_std
from greenexp.analysis.sweeps.configurations import configuration_states, is_given_up, stopped_without_score
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.records.arrays import Floats
from greenexp.records.tables import SweepTables
from greenexp.searches import is_independent

COLUMNS = ("configurations", "expected_best", "standard_deviation")
_MOST_POINTS = 200


@dataclass(frozen=True)
class ExpectedBest:
    """An expected-best curve over configurations, or the reason why there is none.

    curve: configurations (n), expected_best, standard_deviation (of the best of n; no interval); empty if refused
    bound: "" for an estimate, else `lower bound` (`upper bound` where a smaller score is better)
    refusal: why there is no curve, or ""; notes: what the curve is about, one sentence each
    values: configuration -> the value it entered with; failed: configurations without one because a seed failed
    """

    curve: pd.DataFrame
    bound: str
    refusal: str
    notes: tuple[str, ...]
    values: dict[str, float]
    failed: int = 0


def expected_best(tables: SweepTables, estimator: Estimator = "unbiased", *, within: str | None = None) -> ExpectedBest:
    """The expected-best curve the sweep's records allow (see the module), over n = 1 .. configurations with a value.

    within: the searched field whose values each get a curve of their own, made of `values`; `curve` is of all together
    """
    metric = metric_of(tables)
    search = tables.spec.search
    if not is_independent(search.name):
        return _refused(
            f"the curve presumes configurations drawn independently from one distribution; a '{search.name}' search is "
            "not that"
        )
    if search.per not in {None, within}:
        return _refused(
            f"every value of {search.per} has a search of its own (search.per): its configurations have a curve, and "
            "all together are no draws of one distribution"
        )
    states = {name: state for name, (state, _) in configuration_states(tables.trials).items()}
    apart = [name for name, state in states.items() if state == "stopped apart"]
    if apart:
        return _refused(
            f"the seeds of {len(apart)} of {len(states)} configurations were stopped apart "
            f"({', '.join(apart[:5])}{', ...' if len(apart) > 5 else ''}), so those configurations have no score of "
            "their own; leaving them out would select by luck"
        )
    fewer = tables.trials.loc[is_given_up(tables.trials), "configuration"].nunique()
    if fewer:
        return _refused(
            f"seeds of {fewer} of {len(states)} configurations were given up before they began, so scores are means "
            "over different numbers of seeds; leaving those configurations out would select by luck"
        )
    before_all = stopped_without_score(tables.trials)
    if before_all:
        return _refused(
            f"{before_all} of {len(states)} configurations were stopped before a report on all of dev, so they have no "
            "score; leaving those configurations out would select"
        )
    values = _values(tables.trials, states)
    if not values:
        return _refused("no configuration has a score from all its seeds")
    counted = tables.trials[tables.trials["configuration"].isin(list(values))]
    cut_short = counted["status"] != "finished"
    notes = _notes(metric, states, values, counted)
    curve = expected_best_curve(np.array(list(values.values())), estimator, metric.minimize)
    return ExpectedBest(curve, metric.bound if cut_short.any() else "", "", notes, values, _failed(states))


def _values(trials: pd.DataFrame, states: dict[str, str]) -> dict[str, float]:
    """The mean over seeds of every configuration that did not fail and of which every seed has reported."""
    means = trials.groupby("configuration", sort=False)["score"].mean()
    silent = set(trials.loc[trials["score"].isna(), "configuration"])
    return {name: float(means[name]) for name, state in states.items() if state != "failed" and name not in silent}


def expected_best_curve(scores: Floats, estimator: Estimator, minimize: bool) -> pd.DataFrame:
    """`tuning_curve` of `scores` over n = 1 .. N as COLUMNS; of more than 200 n, some, evenly over their logarithms."""
    last = scores.size
    sizes = np.unique(np.rint(np.geomspace(1, last, _MOST_POINTS)).astype(int)) if last > _MOST_POINTS else None
    budgets = sizes if sizes is not None else np.arange(1, last + 1)
    mean = tuning_curve(scores, budgets, estimator, minimize)
    spread = tuning_curve_std(scores, budgets, estimator, minimize)
    return pd.DataFrame(dict(zip(COLUMNS, (budgets, mean, spread), strict=True)))


def _notes(
    metric: SweepMetric,
    states: dict[str, str],
    values: dict[str, float],
    counted: pd.DataFrame,
) -> tuple[str, ...]:
    """What went into the curve, in sentences with counts."""
    trials = f"{len(counted)} trial{'' if len(counted) == 1 else 's'}"
    entered = (
        f"{len(values)} of {len(states)} configurations enter, each with the mean over its seeds ({trials}); the curve "
        "ends there, as more draws than were made cannot be estimated."
    )
    notes = [entered]
    stopped = int((counted["status"] == "stopped").sum())
    open_ones = int((~counted["status"].isin(["finished", "stopped"])).sum())
    if stopped or open_ones:
        parts = [f"{stopped} of {len(counted)} trials stopped early"] if stopped else []
        parts += [f"{open_ones} of {len(counted)} trials not ended"] if open_ones else []
        notes.append(
            f"A {metric.bound}: {' and '.join(parts)}; each counts with its best dev value so far, which is a "
            f"{metric.bound} of its score after full training."
        )
    failed = _failed(states)
    if failed:
        notes.append(
            f"{_configurations(failed)} had a failed seed, hence no score: the curve is over configurations that do "
            "not fail, so a budget that pays for failures too buys less than it shows."
        )
    silent = len(states) - failed - len(values)
    if silent:
        notes.append(f"{_configurations(silent)} left out: not every seed has reported yet.")
    return tuple(notes)


def _failed(states: dict[str, str]) -> int:
    return sum(state == "failed" for state in states.values())


def _configurations(number: int) -> str:
    return f"{number} configuration{'' if number == 1 else 's'}"


def _refused(reason: str) -> ExpectedBest:
    return ExpectedBest(pd.DataFrame(columns=list(COLUMNS)), "", reason, (), {})
