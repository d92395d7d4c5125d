"""How far a search has come: by hand on made sweeps, and against simulated searches."""

from __future__ import annotations

import numpy as np
import pytest
from made_sweeps import sweep

import greenexp
from greenexp.analysis.search.draws import drawn_configurations, not_drawn
from greenexp.analysis.search.next_gain import gain_of_draws, gain_of_search
from greenexp.analysis.search.outlook import outlook
from greenexp.analysis.search.progress import search_progress
from greenexp.analysis.seeds.of_sweep import sweep_seed_scores
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.searches import draws, is_learning
from greenexp.sources.learning_curves import CurveRequest, read_curves

TPE = {"name": "tpe", "samples": 30, "seed": 0, "startup": 10, "multivariate": True}


def test_draws_are_all_of_a_random_search_and_the_start_of_one_that_learns() -> None:
    assert draws({"name": "random", "samples": 8}) == float("inf")
    assert draws(TPE) == 10
    assert draws({"name": "grid"}) == 0
    assert draws({"name": "no such search"}) == 0
    assert is_learning("tpe")
    assert not is_learning("random")


def test_the_incumbent_is_the_best_mean_so_far_in_the_order_of_the_search() -> None:
    tables = sweep(12, 2, search="random", ends={"c003-i0-o0": ("failed", 2)})
    progress = search_progress(tables)
    means = configuration_table(tables).set_index("configuration")["score_mean"].dropna().sort_index()
    assert progress.incumbent["configuration"].tolist() == means.index.tolist()
    assert "c003" not in progress.incumbent["configuration"].tolist()
    np.testing.assert_allclose(progress.incumbent["score"], means)
    np.testing.assert_allclose(progress.incumbent["best"], means.cummax())
    assert progress.incumbent["drawn"].all()
    assert progress.gains[-1] == gain_of_draws(means.to_numpy(), 10)
    assert progress.costs["train_flops"] > 0


def test_a_search_that_learns_has_an_upper_estimate_and_is_set_against_its_own_draws() -> None:
    tables = sweep(30, 1, search="tpe")
    progress = search_progress(tables)
    values = progress.incumbent["score"].to_numpy()
    assert progress.incumbent["drawn"].tolist() == [True] * 10 + [False] * 20
    assert progress.gains[-1] == gain_of_search(values, 10)
    random = progress.random
    assert random is not None
    assert random.draws == 10
    told = gain_of_draws(values[:10], random.configurations - 10)
    assert told.at_most is not None
    expected = values[:10].max() + told.mean
    assert random.score == pytest.approx(expected)
    assert random.at_best == pytest.approx(values[:10].max() + told.at_most)
    assert random.advantage == pytest.approx(values.max() - expected)
    costs = configuration_table(tables).set_index("configuration").sort_index()["train_flops"].to_numpy()
    assert random.configurations == int(costs.sum() / costs[:10].mean())


def test_a_smaller_score_may_be_better() -> None:
    tables = sweep(12, 1, search="tpe", metric={"name": "loss", "mode": "min"})
    progress = search_progress(tables)
    assert progress.incumbent["best"].tolist() == np.minimum.accumulate(progress.incumbent["score"]).tolist()
    assert progress.random is not None
    best = float(progress.incumbent["best"].iloc[-1])
    assert progress.random.advantage == pytest.approx(progress.random.score - best)


@pytest.mark.parametrize(
    ("search", "configurations", "why"),
    [("grid", 12, "'grid'"), ("random", 5, "8 are needed"), ("random", 1, "one configuration has")],
)
def test_nothing_is_said_of_what_cannot_be_known(search: str, configurations: int, why: str) -> None:
    tables = sweep(configurations, 1, search=search)
    progress = search_progress(tables)
    assert why in progress.refusal
    assert not progress.gains
    assert why in outlook(progress, metric_of(tables))[0]


def test_nothing_is_said_while_configurations_wait_and_where_seeds_were_given_up() -> None:
    waiting = sweep(12, 1, scheduler="asha_promotion", ends={"c003-i0-o0": ("paused", 3)})
    assert "wait at a rung" in search_progress(waiting).refusal
    fewer = sweep(12, 2, scheduler="asha", ends={"c003-i0-o0": ("stopped", 3), "c003-i1-o0": ("stopped", 0)})
    assert "given up" in search_progress(fewer).refusal


def test_the_sentence_holds_the_numbers() -> None:
    tables = sweep(30, 1, search="tpe")
    progress = search_progress(tables)
    gain, random = outlook(progress, metric_of(tables))
    assert f"{progress.gains[-1].mean:.2g}" in gain
    assert progress.random is not None
    assert f"{progress.random.score:.4f}" in random


def test_what_learns_is_simulated_from_its_draws_and_said_to_differ_in_its_seeds() -> None:
    tables = sweep(30, 2, search="tpe")
    assert list(drawn_configurations(tables).values()) == [True] * 10 + [False] * 20
    curves = read_curves(tables, CurveRequest())
    assert len(curves.units) == 10
    assert "20 of 30" in curves.remarks[0]
    assert any("20 of 30" in note for note in sweep_seed_scores(tables).notes)
    assert curves.remarks[0] in greenexp.simulate(tables, schedulers=["asha"], repeats=5).notes


def test_all_of_a_random_search_are_draws_and_none_of_a_grid() -> None:
    assert not_drawn(sweep(8, 2)) == ""
    grid = sweep(8, 2, search="grid")
    curves = read_curves(grid, CurveRequest())
    assert len(curves.units) == 8
    assert "8 of 8" in curves.remarks[0]
    assert not any(drawn_configurations(sweep(12, 1, search="tpe, told")).values())
