"""The front of n trials of a sweep, over all subsets, and the reasons why there is none."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from made_sweeps import sweep, with_thresholds
from told import tells

from greenexp.analysis.fronts.front_over_trials import attained_fronts, front_over_trials


def mean_best(points, price, zero=0.0, sign=1.0):
    """Best score within a price, averaged over all prices, as a sum over the points' own prices."""
    stops = np.unique(np.append(points[points[:, 0] < price, 0], price))
    total = 0.0
    for begin, end in itertools.pairwise(stops):
        best = max(sign * (points[points[:, 0] <= begin, 1] - zero))
        total += max(best, 0.0) * (end - begin)
    return total / price


def shuffled(tables, seed=0):
    """Scores of operating points that do not rise with the price alike in all trials."""
    points, rng = tables.operating_points, np.random.default_rng(seed)
    return dataclasses.replace(
        tables, operating_points=points.assign(score=points["score"] * rng.uniform(0.8, 1.2, len(points)))
    )


@pytest.mark.parametrize("metric", [{"name": "accuracy"}, {"name": "loss", "mode": "min"}])
def test_the_curve_is_the_mean_over_all_subsets_and_seeds(metric):
    tables = shuffled(sweep(5, 2, epochs=2, metric=metric))
    found = front_over_trials(tables)
    minimize = metric.get("mode") == "min"
    points = tables.operating_points
    price = points["inference_flops"].max()
    assert found.reference == (pytest.approx(price), 0.0 if not minimize else found.reference[1])
    if minimize:
        assert found.reference[1] <= points["score"].max()
    for n in range(1, 6):
        values = []
        for s in range(2):
            for chosen in itertools.combinations(range(5), n):
                rows = points[points["trial"].isin([f"c{c:03d}-i{s}-o0" for c in chosen])]
                cells = rows[["inference_flops", "score"]].to_numpy()
                values.append(mean_best(cells, price, found.reference[1], -1.0 if minimize else 1.0))
        assert found.curve["value"].iloc[n - 1] == pytest.approx(np.mean(values), abs=1e-12)
    spread = found.per_seed.pivot(index="trials", columns="seed", values="value").std(axis=1)
    assert found.curve["standard_deviation"].to_numpy() == pytest.approx(spread.to_numpy())


def test_a_failed_trial_adds_nothing_but_counts():
    tables = sweep(4, 1, epochs=2)
    whole = front_over_trials(tables)
    failed = front_over_trials(dataclasses.replace(
        tables, trials=tables.trials.assign(status=["failed", *["finished"] * 3])
    ))  # fmt: skip
    assert (failed.failed, whole.failed) == (1, 0)
    assert len(failed.curve) == 4
    assert failed.curve["value"].iloc[0] < whole.curve["value"].iloc[0]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"search": "grid"}, "'grid'"),
        ({"ends": {"c000": ("stopped", 1)}, "scheduler": "asha"}, "2 of 8 trials … stopped"),
        ({"ends": {"c000": ("running", 1)}}, "2 of 8 … ended"),
        ({"ends": {f"c00{c}": ("planned", 0) for c in range(4)}}, "8 of 8 … ended"),
        ({"exits": 1}, "second"),
        ({"configurations": 1}, "one configuration"),
        ({"metric": {"name": "matthews"}}, "operating point"),
    ],
)
def test_where_there_is_no_curve_there_is_a_reason(made, words):
    found = front_over_trials(sweep(epochs=2, **made))
    assert tells(found.refusal, words)
    assert found.curve.empty


def test_attained_fronts_are_between_the_best_and_what_all_seeds_reach():
    tables = shuffled(with_thresholds(sweep(2, 5, epochs=2), 60), 1)
    chosen, curves = attained_fronts(tables)
    points = tables.operating_points
    points = points[points["configuration"] == chosen]
    assert set(curves["trials"]) == {2, 3, 4}, "a quarter, half and three quarters of five, rounded up"
    for k, price, score in zip(curves["trials"], curves["inference_flops"], curves["score"], strict=True):
        cheap = points[points["inference_flops"] <= price]
        reached = cheap.groupby("trial")["score"].max().sort_values(ascending=False)
        assert reached.iloc[k - 1] == pytest.approx(score)
    assert curves.groupby("trials")["inference_flops"].max().nunique() == 1, "all end at one price"


def test_two_seeds_have_two_attained_fronts():
    chosen, curves = attained_fronts(sweep(2, 2, epochs=2))
    assert chosen == "c001"
    assert list(dict.fromkeys(zip(curves["trials"], curves["level"], strict=True))) == [(1, 0.5), (2, 0.75)]
    nobody, none = attained_fronts(sweep(2, 1, ends={"c000": ("failed", 1), "c001": ("failed", 1)}))
    assert (nobody, len(none)) == ("", 0)
