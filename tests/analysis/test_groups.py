"""Groups of runs: which count, what is expected of them, what they had in hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from foreign_runs import NAN, run, runs, two_groups
from hypothesis import given
from hypothesis import strategies as st

from greenexp.analysis.comparing.groups import ALL, NOT_SET, OUTCOMES, compare_groups
from greenexp.analysis.curves.tuning_curve import tuning_curve


def row(comparison, group):
    return comparison.groups.set_index("group").loc[group]


def test_every_run_has_one_outcome_and_only_finished_ones_count():
    comparison = compare_groups(two_groups(), costs=True)
    assert comparison.runs["outcome"].tolist() == [
        "counted", "counted", "failed", "counted", "not_ended", "counted", "counted", "killed", "not_finite",
    ]  # fmt: skip
    a, b = row(comparison, "a"), row(comparison, "b")
    assert (a["counted"], a["failed"], a["runs"]) == (3, 1, 4)
    assert (b["counted"], b["killed"], b["not_ended"], b["not_finite"], b["runs"]) == (2, 1, 1, 1, 5)
    assert (a["best_score"], a["best_run"]) == (0.8, "r6")
    assert comparison.groups[list(OUTCOMES)].sum(axis=1).tolist() == comparison.groups["runs"].tolist()


def test_curves_end_at_each_groups_own_n():
    comparison = compare_groups(two_groups(), costs=False)
    curves = dict(iter(comparison.curve.groupby("group")))
    assert curves["a"]["runs"].tolist() == [1, 2, 3]
    assert curves["b"]["runs"].tolist() == [1, 2]
    np.testing.assert_allclose(curves["a"]["expected_best"], tuning_curve([0.5, 0.6, 0.8], [1, 2, 3]))
    assert comparison.shared == 2
    assert row(comparison, "a")["shared"] == pytest.approx((0.6 + 0.8 + 0.8) / 3)
    assert row(comparison, "b")["shared"] == 0.7


def test_smaller_can_be_better():
    comparison = compare_groups(two_groups(), costs=True, minimize=True)
    assert comparison.groups["group"].tolist() == ["a", "b"]
    assert row(comparison, "a")["best_run"] == "r1"
    assert row(comparison, "b")["shared"] == 0.6
    b = comparison.best_so_far[comparison.best_so_far["group"] == "b"]
    assert b["score"].tolist() == [0.7, 0.6, 0.6]


def test_best_so_far_pays_for_failures_in_the_order_of_beginning():
    comparison = compare_groups(two_groups().sample(frac=1, random_state=1), costs=True)
    a = comparison.best_so_far[comparison.best_so_far["group"] == "a"]
    assert a[["cost", "score", "run"]].to_numpy().tolist() == [
        [10.0, 0.5, "r1"], [60.0, 0.6, "r4"], [100.0, 0.8, "r6"],
    ]  # fmt: skip
    b = comparison.best_so_far[comparison.best_so_far["group"] == "b"]
    assert b["cost"].tolist() == [1.0, 29.0], "without the run that has not ended, up to where the runs end"
    assert b["improved"].tolist() == [True, False]
    assert row(comparison, "b")["cost"] == 29.0


def test_unknown_costs_are_not_nothing():
    lost = compare_groups(runs(run(1, 0.5, cost=3.0), run(2, status="FAILED"), run(3, 0.7, cost=4.0)), costs=True)
    assert math.isnan(row(lost, ALL)["cost"])
    assert row(lost, ALL)["cost_unknown"] == 1
    assert len(lost.best_so_far) == 2, "drawn, and the report says what is missing"
    refused = compare_groups(runs(run(1, 0.5, cost=3.0), run(2, 0.6)), costs=True)
    assert refused.best_so_far.empty
    assert refused.no_best_so_far == {ALL: "1 of its 2 runs with a score have no cost"}


def test_no_cost_asked_for_no_best_so_far():
    comparison = compare_groups(two_groups(), costs=False)
    assert comparison.best_so_far.empty
    assert comparison.no_best_so_far == {}


def test_parents_at_any_height_are_set_aside():
    comparison = compare_groups(
        runs(run(1), run(2, 0.8, parent="r1"), run(3, 0.7, parent="r2"), run(4, 0.8, parent="r2"), run(5, 0.1)),
        costs=False,
    )
    assert comparison.runs["outcome"].tolist() == ["summary", "summary", "counted", "counted", "counted"]


def test_a_circle_of_parents_ends():
    comparison = compare_groups(runs(run(1, 0.5, parent="r2"), run(2, 0.6, parent="r1")), costs=False)
    assert comparison.scored.empty


def test_groups_without_a_name_and_without_a_score():
    comparison = compare_groups(
        runs(run(1, 0.5, group="x"), run(2, 0.9), run(3, status="FAILED", group="y")), costs=True
    )
    assert comparison.groups["group"].tolist() == [NOT_SET, "x", "y"]
    assert comparison.scored["group"].tolist() == [NOT_SET, "x"]
    assert comparison.shared == 1
    assert comparison.no_best_so_far["y"] == "no run counts"


def test_nothing_counts():
    comparison = compare_groups(runs(run(1, 0.5, status="RUNNING"), run(2, math.inf)), costs=True)
    assert comparison.scored.empty
    assert comparison.curve.empty
    assert comparison.shared == 0
    assert comparison.runs["outcome"].tolist() == ["not_ended", "not_finite"]


SCORED = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(-10, 10), st.floats(0, 100), st.booleans()), min_size=1, max_size=20
)


@given(SCORED, st.booleans())
def test_best_so_far_improve_and_end_at_the_best_run_and_the_whole_cost(drawn, minimize):
    table = runs(
        *(
            run(k, score, group=group, cost=cost, status="FAILED" if fails else "FINISHED")
            for k, (group, score, cost, fails) in enumerate(drawn)
        )
    )
    comparison = compare_groups(table, costs=True, minimize=minimize)
    for name, line in comparison.best_so_far.groupby("group"):
        gains = np.diff(line["score"]) * (-1 if minimize else 1)
        assert (gains >= 0).all()
        assert (np.diff(line["cost"]) >= 0).all()
        assert line["score"].iloc[-1] == row(comparison, name)["best_score"]
        assert line["cost"].iloc[-1] == pytest.approx(row(comparison, name)["cost"])
    assert set(comparison.best_so_far["group"]) == set(comparison.scored["group"])


def test_the_given_table_is_left_as_it_was():
    table = two_groups()
    compare_groups(table, costs=True)
    pd.testing.assert_frame_equal(table, two_groups())


def test_costs_of_nan_scores_stay_out_of_the_range_of_counted_runs():
    comparison = compare_groups(runs(run(1, 0.5, cost=3.0), run(2, NAN, cost=90.0, logged=True)), costs=True)
    assert row(comparison, ALL)["most_cost"] == 3.0
    assert row(comparison, ALL)["cost"] == 93.0
