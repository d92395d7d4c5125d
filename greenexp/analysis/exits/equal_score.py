"""How much faster the chosen configuration can be without a worse score than its last exit: chosen on dev.

For every exit policy, and for every exit used alone, the largest speed-up on dev at which the mean score over the seeds
is at least as good as that of the last exit used alone. The fastest of all is taken. Of a policy every seed has its own
threshold (see `policy_curves`), so the speed-up is the one that all seeds reach.

Assumption: policy and threshold are chosen on the examples that score them, so the speed-up is optimistic. What the
policy is worth on test is given at the largest speed-up asked for that its thresholds were stored for and that is no
larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from greenexp.analysis.exits.dev_to_test import dev_to_test
from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.exits.policy_curves import policy_curves, static_points
from greenexp.analysis.numbers.rounding import COST_ROUNDING, at_least_as_good
from greenexp.analysis.sweeps.chosen import ChosenTrials, chosen_trials
from greenexp.analysis.sweeps.held_out import held_out
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables


@dataclass(frozen=True, slots=True)
class EqualScore:
    """The fastest way of using the chosen configuration that keeps the score of its last exit on dev.

    policy: its label, or `static` for an exit used alone; exit: that exit, 0 for a policy
    speed_up: layers / mean layers used, on dev; 1.0 where nothing is faster
    dev: mean score there; last_exit: of the last exit used alone
    test_speed_up, test, test_last_exit: on test, NaN where it is not known
    """

    policy: str
    exit: int
    speed_up: float
    dev: float
    last_exit: float
    test_speed_up: float = math.nan
    test: float = math.nan
    test_last_exit: float = math.nan


def equal_score(tables: SweepTables) -> EqualScore | None:
    """The fastest at the score of the last exit; None where no exit of the chosen configuration has a score."""
    metric, chosen = metric_of(tables), chosen_trials(tables)
    points = chosen.rows(tables.operating_points)
    alone = static_points(points).dropna(subset=["speed_up"])
    if alone.empty:
        return None
    last = alone.iloc[-1]
    ways = [
        _Way(STATIC, int(number), float(speed_up), float(score))
        for number, speed_up, score in zip(alone["exit"], alone["speed_up"], alone["score_mean"], strict=True)
    ]
    usable = points[~is_bound(points["policy"])]
    curves = policy_curves(usable, "speed_up", minimize=metric.minimize)
    ways += [
        _Way(str(policy), 0, float(price), float(score))
        for policy, price, score in zip(curves["policy"], curves["price"], curves["score_mean"], strict=True)
    ]
    enough = at_least_as_good([way.score for way in ways], float(last["score_mean"]), minimize=metric.minimize)
    best = max((way for way, fit in zip(ways, enough, strict=True) if fit), key=lambda way: way.speed_up)
    return EqualScore(
        best.policy, best.exit, best.speed_up, best.score, float(last["score_mean"]), *_on_test(best, tables, chosen)
    )


@dataclass(frozen=True, slots=True)
class _Way:
    policy: str
    exit: int
    speed_up: float
    score: float


def _on_test(way: _Way, tables: SweepTables, chosen: ChosenTrials) -> tuple[float, float, float]:
    """Speed-up and score on test, and the score of the last exit there; NaN where they are not known."""
    tested = held_out(tables)
    if tested is None or tested.configuration != chosen.configuration or tested.exits.empty:
        return math.nan, math.nan, math.nan
    last = float(tested.exits["test_mean"].iloc[-1])
    if way.policy == STATIC:
        own = tested.exits.loc[tested.exits["exit"] == way.exit, "test_mean"]
        return way.speed_up, float(own.iloc[0]) if len(own) else math.nan, last
    transfer = dev_to_test(chosen.rows(tables.thresholds_on_test))
    rows = transfer[(transfer["policy"] == way.policy) & (transfer["target"] <= way.speed_up * (1 + COST_ROUNDING))]
    if rows.empty:
        return math.nan, math.nan, last
    row = rows.sort_values("target", kind="stable").iloc[-1]
    return float(row["test_speed_up"]), float(row["test_mean"]), last
