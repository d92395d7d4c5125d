"""Expected best score over cost: against all orders, against the curve over configurations, and where it is refused."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from made_sweeps import score_of, sweep
from told import tells

from greenexp.analysis.curves.evp_over_cost import best_within, expected_over_cost
from greenexp.analysis.curves.tuning_curve import tuning_curve

STOPPED = {"c000": ("stopped", 1), "c003": ("stopped", 3)}


def test_expected_best_over_equal_costs_is_the_curve_over_configurations():
    found = expected_over_cost(sweep(), "train_flops")
    scores = [np.mean([score_of(c, s, 9) for s in (0, 1)]) for c in range(4)]
    paid_for = np.floor(found.curve["cost"] / 36e9 + 1e-6).astype(int)  # 36e9: two seeds x nine epochs x 2e9
    exact = tuning_curve(scores, paid_for)
    assert found.curve["expected_best"].to_numpy() == pytest.approx(exact, abs=0.003)
    assert set(paid_for) == {1, 2, 3, 4}
    assert found.curve["expected_best"].iloc[-1] == pytest.approx(max(scores), abs=1e-12)
    assert (found.curve["nothing_finished"] == 0).all()


@pytest.mark.parametrize("minimize", [False, True])
def test_expected_best_over_unequal_costs_is_the_mean_over_all_orders(minimize):
    """All 24 orders of four configurations by hand, to five standard errors of the 2,000 that are drawn."""
    scores, costs, budgets = [0.7, 0.9, 0.8, 0.6], [1.0, 4.0, 2.0, 0.5], [0.4, 0.6, 1.6, 3.0, 5.0, 7.5]
    best, nothing = best_within(scores, costs, budgets, minimize=minimize, rng=np.random.default_rng(0))
    for budget, mean, share in zip(budgets, best, nothing, strict=True):
        reached = []
        for order in itertools.permutations(range(4)):
            paid = np.cumsum([costs[i] for i in order])
            done = [scores[i] for i, cost in zip(order, paid, strict=True) if cost <= budget]
            reached += [(min if minimize else max)(done)] if done else []
        assert share == pytest.approx(1 - len(reached) / 24, abs=5 * 0.5 / math.sqrt(2000))
        assert math.isnan(mean) if not reached else mean == pytest.approx(np.mean(reached), abs=0.02)


def test_expected_best_over_cost_is_the_same_each_time_and_ends_at_the_sweep():
    tables = sweep(12, 1)
    first, again = (expected_over_cost(tables, "wall_s").curve for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first["cost"].iloc[-1] == pytest.approx(tables.trials["wall_s"].sum())
    assert first["expected_best"].iloc[-1] == pytest.approx(tables.trials["score"].max(), abs=1e-12)
    assert first["nothing_finished"].iloc[0] > 0.5
    other = dataclasses.replace(tables, history=dataclasses.replace(tables.history, fingerprint="x"))
    assert not first.equals(expected_over_cost(other, "wall_s").curve)


@pytest.mark.parametrize(
    ("made", "axis", "reason"),
    [
        ({"ends": STOPPED, "scheduler": "asha"}, "train_flops", "4 of 8 trials … stopped"),
        ({"ends": {"c001-i0-o0": ("failed", 3)}}, "train_flops", "1 of 8 trials failed"),
        ({"ends": {"c001-i0-o0": ("running", 3)}}, "train_flops", "1 of 8 … ended"),
        ({}, "energy_j", "not measured: no energy counter"),
        ({"search": "grid"}, "train_flops", "'grid'"),
    ],
)
def test_no_expected_best_over_cost_where_costs_are_not_those_of_full_training(made, axis, reason):
    found = expected_over_cost(sweep(**made), axis)
    assert found.curve.empty
    assert tells(found.refusal, reason)
