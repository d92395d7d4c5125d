"""Searches that others published: what was found in them before, by other means, is found again.

Their tables may not travel with this repository (tests/reference/README.md), so these tests need them beside it. What
is asserted of them in general is tested on made-up searches in the files of the single computations.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from greenexp.analysis.comparing.compare import compare_at, crossings, regions
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.analysis.curves.extrapolate import extrapolate
from greenexp.analysis.curves.over_cost import curve_over_cost
from greenexp.analysis.stopping.simulate import simulate
from greenexp.analysis.stopping.simulate_curves import recorded_curves
from greenexp.analysis.stopping.simulate_saving import full_search

DEBERTA = "data/results_opda/deberta_deberta-v3-base_tuning.results.jsonl"


def test_n_times_the_mean_cost_overstates_what_little_money_buys(shared):
    """DeBERTaV3, 1,024 searches, costs in epochs: claimed against renewal at multiples of the mean cost."""
    trials = pd.read_csv(shared("reference/evp/deberta_v3-base_input.csv"))
    scores, costs = trials["final_matched"], trials["epochs"]
    budgets = np.array([2, 3, 5, 10]) * costs.mean()
    claimed = curve_over_cost(scores, costs, budgets, estimator="mean_cost")
    assert claimed.table["best"].round(3).tolist() == [0.868, 0.893, 0.902, 0.904]
    for estimator in ("without_replacement", "with_replacement"):
        found = curve_over_cost(scores, costs, budgets, estimator=estimator)
        assert found.table["best"].round(3).tolist() == [0.832, 0.874, 0.9, 0.904]
        assert (found.distribution.method, found.distribution.lattice) == ("lattice", 1.0)


def test_cnn_beats_boe_at_one_trial_and_loses_at_ten(shared):
    trials = pd.read_csv(shared("reference/evp/sst5_input.csv"))
    scores = {name: rows["score"].to_numpy() for name, rows in trials.groupby("model")}
    found = compare_at(scores["cnn"], scores["boe"], range(1, 51), "biased")
    assert found["probability_better"][[0, 9]].round(3).tolist() == [0.566, 0.053]
    median = compare_at(scores["cnn"], scores["boe"], range(1, 51))
    assert median["probability_better"][9].round(3) == 0.046  # the unbiased weights
    assert crossings(median).to_numpy().tolist() == [[1, 2, "a", "b"]]
    best = regions(median)
    assert best[["confidence", "better", "first", "last"]].to_numpy().tolist() == [[80, "b", 5, 11], [95, "b", 9, 9]]
    tested = compare_pairwise(scores, [1, 10], np.random.default_rng(0), permutations=499)
    assert tested["p"][:2].tolist() == [pytest.approx(0.11, abs=0.06), 0.002]


def test_deberta_from_forty_eight_trials(shared):
    trials = pd.read_csv(shared("reference/evp/deberta_base_input.csv"))["final_matched"].to_numpy()
    found = extrapolate(trials[:48], [48, 1000], np.random.default_rng(0), support=(0, 1))
    assert found.table["best"].iloc[-1] == pytest.approx(0.8901, abs=0.002)  # the median of the best of 1,000


def test_a_bracket_of_27_costs_7_full_trials_and_is_worth_20(shared) -> None:
    """DeBERTaV3, rungs at 1 and 3 of 9 ninths of each run's own schedule, evaluated at the ninths alone."""
    points = []
    path = shared(DEBERTA)
    for line in path.read_text().splitlines():
        run = json.loads(line)
        scores = [score for _, score in run["learning_curves"]["matched"]]
        if len(scores) >= 9:
            ninths = [scores[-(-k * len(scores) // 9) - 1] for k in range(1, 10)]
            points += [(run["iteration"], k, score, k / 9) for k, score in enumerate(ninths, start=1)]
    curves = recorded_curves(pd.DataFrame(points, columns=["run", "resource", "score", "cost"]), 9)
    assert len(curves.units) == 945
    assert curves.final.mean() == pytest.approx(0.790, abs=0.0005)
    assert full_search(curves)[6, 0] == pytest.approx(0.9037, abs=0.00005)
    found = simulate(curves, {"sha": {"name": "sha"}}, [27], rng=np.random.default_rng(1), repeats=600)
    row = found.searches.set_index(["scheduler", "trials"]).loc[("sha", 27)]
    assert row["expected_best"] == pytest.approx(0.90523, abs=0.0001)
    assert row["cost"] == pytest.approx(7)
    assert row["equal_trials"] == pytest.approx(20, abs=1.5)
    assert row["saved_low"] < row["saved"] < row["saved_high"]
    assert row["saved"] == pytest.approx(1 - 7 / 20, abs=0.03)
