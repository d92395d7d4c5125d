"""Simulated schedulers that count seeds, against brute force and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from simulated import made, rows

from greenexp.analysis.stopping.options import StoppingOptions
from greenexp.analysis.stopping.simulate import simulate
from greenexp.analysis.stopping.simulate_curves import recorded_curves
from greenexp.analysis.stopping.study import stopping_study
from greenexp.errors import InputError

NAMES = ("fifo", "sha", "asha", "hyperband", "asha_promotion", "median", "one_epoch", "pasha")


def seeded(configurations=12, seeds=4, seed=5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.5, 0.9, configurations)
    return pd.DataFrame(
        [
            (f"c{c}", f"c{c}-{s}", 1, level[c] + rng.normal(0, 0.05), 2.0)
            for c, s in itertools.product(range(configurations), range(seeds))
        ],
        columns=["configuration", "run", "resource", "score", "cost"],
    )


def test_seed_racing_is_halving_over_seeds_by_brute_force() -> None:
    points = seeded()
    curves = recorded_curves(points, 1)
    assert curves.seeds == 4
    score = points["score"].to_numpy().reshape(12, 4)
    row = rows(curves, {"race": {"name": "seed_racing"}}, [12], repeats=20, replace=False).loc[("race", 12)]
    left = list(np.argsort(-score[:, 0])[:6])
    left = sorted(left, key=lambda c: -score[c, :2].mean())[:3]
    assert row["expected_best"] == pytest.approx(max(score[c].mean() for c in left))
    assert row["cost"] == pytest.approx(2 * (12 + 6 + 2 * 3))
    assert row["share_of_full"] == pytest.approx(0.5)


def seeded_curves(configurations=9, seeds=4, parts=9, seed=3) -> pd.DataFrame:
    """Rising curves of seeds that differ in level."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.5, 0.9, configurations)[:, None] + rng.normal(0, 0.05, (configurations, seeds))
    return pd.DataFrame(
        [
            (f"c{c}", f"c{c}-{s}", part, level[c, s] * (1 - 0.5**part) + rng.normal(0, 0.02), 3.0 * part)
            for c, s, part in itertools.product(range(configurations), range(seeds), range(1, parts + 1))
        ],
        columns=["configuration", "run", "resource", "score", "cost"],
    )


def test_halving_over_growing_seeds_by_brute_force() -> None:
    """Rungs after 1 and 3 of 9 parts, with 1 and 2 of 4 seeds."""
    points = seeded_curves()
    curves = recorded_curves(points, 9)
    score = points["score"].to_numpy().reshape(9, 4, 9)
    best = np.maximum.accumulate(score, axis=2)
    section = {"name": "sha", "seeds": [1, 2, 4]}
    for workers in (1, 3):
        found = simulate(curves, {"sha": section}, [9], rng=np.random.default_rng(0), workers=workers, repeats=5,
                         replace=False)  # fmt: skip
        row = found.searches.iloc[0]
        three = np.argsort(-best[:, 0, 0])[:3]
        (one,) = sorted(three, key=lambda c: -best[c, :2, 2].mean())[:1]
        assert row["expected_best"] == pytest.approx(best[one, :, 8].mean())
        assert row["cost"] == pytest.approx(3 * (6 * 1 + 2 * 2 * 3 + 4 * 9))
        last = found.best_so_far.iloc[-1]
        places = [best[:, 0, 0].max(), best[three, :2, 1:3].mean(axis=1).max(), best[one, :, 8].mean()]
        assert last["expected_best"] == pytest.approx(max(places))


def test_a_configuration_reports_when_the_seeds_that_count_have_come() -> None:
    """One worker, two configurations of two seeds, raced: a0 at cost 1, b0 at 2, then b1 at 3."""
    points = pd.DataFrame(
        [("a", "a0", 0.5), ("a", "a1", 0.9), ("b", "b0", 0.8), ("b", "b1", 0.2)],
        columns=["configuration", "run", "score"],
    ).assign(resource=1, cost=1.0)
    found = simulate(
        recorded_curves(points, 1), {"race": {"name": "seed_racing"}}, [2], rng=np.random.default_rng(0), repeats=2,
        replace=False, budgets=[0.5, 1, 1.5, 2, 3],
    )  # fmt: skip
    line = found.best_so_far.set_index("budget")["expected_best"]
    assert math.isnan(line[0.5])
    assert line[1.0] in (0.5, 0.65, 0.8), "a mean over draws in either order"
    assert line[2.0] == line[3.0] == 0.8, "the mean of both seeds of b is 0.5, and no better"
    assert found.searches.loc[0, "expected_best"] == pytest.approx(0.5)
    assert found.searches.loc[0, "cost"] == 3


def test_options_give_the_seeds_at_rungs_to_schedulers_that_have_them() -> None:
    curves = recorded_curves(seeded_curves(), 9)
    sections = StoppingOptions(rung_seeds=(1, 2, 4)).sections(curves)
    with_seeds = {name for name, section in sections.items() if "seeds" in section}
    assert with_seeds == {"asha", "asha_promotion", "hyperband", "sha"}
    findings = stopping_study(curves, StoppingOptions(rung_seeds=(1, 2, 4), repeats=10))
    assert {*with_seeds, "fifo", "seed_racing"} <= set(findings["searches"]["scheduler"])
    assert any("1 (with 1 seed) and 3 (with 2 seeds) of 9 parts" in note for note in findings.notes)
    with pytest.raises(InputError, match="number of seeds"):
        stopping_study(curves, StoppingOptions(schedulers=("sha",), rung_seeds=(1, 2)))
    with pytest.raises(InputError, match="same number of seeds"):
        stopping_study(made(), StoppingOptions(schedulers=("sha",), rung_seeds=(1, 2)))


def test_seeds_are_one_curve_by_their_mean_and_cost_their_sum() -> None:
    points = pd.DataFrame(
        {"run": list("aabb"), "configuration": "c", "resource": [1, 2, 2, 4], "score": [0.2, 0.4, 0.6, 0.5]}
    )
    curves = recorded_curves(points, 2)
    np.testing.assert_allclose(curves.scores, [[0.4, 0.5]])
    np.testing.assert_allclose(curves.costs, [[3, 6]])
    np.testing.assert_allclose(curves.seed_scores, [[[0.2, 0.4], [0.6, 0.6]]])
    np.testing.assert_allclose(curves.seed_costs, [[[1, 2], [2, 4]]])
    np.testing.assert_allclose(recorded_curves(points, 2, best_so_far=False).scores, [[0.4, 0.45]])
    with pytest.raises(ValueError, match="seed_racing"):
        rows(made(), {"race": {"name": "seed_racing"}}, [9])


# ------------------------------------------------------------------------------------------------ input
