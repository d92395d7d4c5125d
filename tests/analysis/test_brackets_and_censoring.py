"""Brackets and sweeps as units, and what is known of a curve when scores are only bounds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sweeps import sweep

from greenexp.analysis.curves.brackets import expected_best_of_brackets, expected_best_of_sweeps
from greenexp.analysis.curves.censoring import tuning_curve_bounds
from greenexp.analysis.curves.tuning_curve import tuning_curve


def test_the_unit_is_the_bracket() -> None:
    bests, costs = [0.7, 0.9, 0.8], [7.0, 9.0, 8.0]
    found = expected_best_of_brackets(bests, costs, ["a", "b", "c"])
    assert found.refusal == ""
    expected = [np.mean([max(c) for c in itertools.combinations(bests, k)]) for k in (1, 2, 3)]
    assert found.curve["expected_best"].tolist() == pytest.approx(expected)
    assert found.curve["cost"].tolist() == pytest.approx([8, 16, 24])
    assert math.isnan(found.curve["standard_error"].iloc[-1])
    assert expected_best_of_brackets(bests, minimize=True).curve["expected_best"].iloc[-1] == 0.7


def test_one_bracket_is_one_draw() -> None:
    found = expected_best_of_brackets([0.7])
    assert found.curve.empty
    assert "one bracket" in found.refusal
    assert "search.seed" in expected_best_of_sweeps([sweep()]).refusal
    with pytest.raises(ValueError, match="fit"):
        expected_best_of_brackets([0.7, 0.8], [1.0])


def drawn(seed, configurations=4, **more):
    made = sweep(configurations=configurations, **{"ends": {"c003": ("stopped", 3)}, "scheduler": "sha", **more})
    spec = {**made.spec, "name": f"s{seed}", "search": {**made.spec["search"], "seed": seed}}
    facts = {**made.facts, "name": f"s{seed}"}
    return type(made)(**made.frames, spec=spec, facts=facts)


def test_sweeps_that_differ_in_their_draws_alone_are_units() -> None:
    found = expected_best_of_sweeps([drawn(0), drawn(1)])
    assert found.refusal == ""
    assert len(found.curve) == 2
    assert found.units["name"].tolist() == ["s0", "s1"]
    assert (found.units["cost"] > 0).all()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (drawn(0), "same search.seed"),
        (drawn(1, training={"epochs": 12}), "differ in training"),
        (drawn(1, search="grid"), "not random"),
        (drawn(1, ends={"c001": ("running", 2)}), "s1: "),
        (drawn(1, ends={f"c{i:03d}": ("stopped", 3) for i in range(4)}), "configuration"),
    ],
)
def test_other_sweeps_are_not(other, said) -> None:
    found = expected_best_of_sweeps([drawn(0), other])
    assert said in found.refusal
    assert found.curve.empty


SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(SCORES, st.sampled_from(["unbiased", "biased", "median", 0.2]), st.booleans())
def test_whatever_full_training_gives_the_curve_lies_between(rows, estimator, minimize) -> None:
    sign = -1 if minimize else 1
    so_far, share, stopped = (np.array(column) for column in zip(*rows, strict=True))
    scores = sign * so_far
    end = sign * 1.0
    final = np.where(stopped, scores + share * (end - scores), scores)
    budgets = np.arange(1, len(rows) + 1)
    bounds = tuning_curve_bounds(scores, stopped, budgets, end, estimator, minimize)
    truth = tuning_curve(final, budgets, estimator, minimize)
    assert (bounds["lower"] <= truth + 1e-12).all()
    assert (bounds["upper"] >= truth - 1e-12).all()
    if not stopped.any():
        assert bounds["lower"].tolist() == bounds["upper"].tolist()


def test_bounds_of_impossible_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="better"):
        tuning_curve_bounds([0.5, 1.2], [False, True], [1], 1.0)
    with pytest.raises(ValueError, match="boolean"):
        tuning_curve_bounds([0.5], [0], [1], 1.0)
