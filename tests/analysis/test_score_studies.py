"""The studies of curves and of groups: what they return, what they refuse, and how much they compute at most."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from greenexp.analysis.comparing import pairwise, study_over_costs
from greenexp.analysis.comparing.options import ComparisonOptions
from greenexp.analysis.comparing.pairs import MOST_COMPARED
from greenexp.analysis.comparing.pairwise import CELLS_OF_ALL, PERMUTATIONS, compare_pairwise, enough_permutations
from greenexp.analysis.comparing.study import MOST_GROUPS, comparison_study
from greenexp.analysis.comparing.study_over_trials import budgets_of_tests
from greenexp.analysis.curves import search_effort as effort_of
from greenexp.analysis.curves.best_so_far import best_at, best_so_far, improvements
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.study import curve_study
from greenexp.errors import InputError
from greenexp.records.scores import Measured, Scores, score_frame


def scores_of(groups: dict[str, list[float]], costs: dict[str, list[float]] | None = None, **more: object) -> Scores:
    columns: dict[str, object] = {
        "group": [name for name, values in groups.items() for _ in values],
        "score": [value for values in groups.values() for value in values],
    }
    if costs is not None:
        columns["cost"] = [value for values in costs.values() for value in values]
    frame = score_frame(columns, len(columns["group"]))
    by = None if list(groups) == ["all"] else "model"
    return dataclasses.replace(Scores(frame, "acc", None if costs is None else "hours", by), **more)


def drawn(groups: int, size: int, seed: int = 0) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    return {f"g{number}": list(rng.random(size)) for number in range(groups)}


# --- best so far


@pytest.mark.parametrize("minimize", [False, True])
def test_best_so_far_passes_over_what_has_no_score(minimize: bool) -> None:
    scores = np.array([math.nan, 0.5, 0.7, math.nan, 0.6, 0.4]) * (-1 if minimize else 1)
    best = np.array([math.nan, 0.5, 0.7, 0.7, 0.7, 0.7]) * (-1 if minimize else 1)
    np.testing.assert_array_equal(best_so_far(scores, minimize), best)
    assert improvements(scores, minimize).tolist() == [False, True, True, False, False, False]
    at = best_at(scores, [1, 2, 4, 5, 9, 10], [0.5, 1, 2, 3.9, 4, 100], minimize)
    np.testing.assert_array_equal(at, np.array([math.nan, math.nan, 0.5, 0.5, 0.7, 0.7]) * (-1 if minimize else 1))


# --- what is refused


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (scores_of({"all": [0.5, 0.6]}, not_random="a 'grid' search is not that"), "grid"),
        (scores_of({"all": [math.nan, math.nan]}), "no trial has a score"),
    ],
)
def test_a_curve_that_is_refused_has_no_tables(scores: Scores, words: str) -> None:
    findings = curve_study(scores)
    assert words in findings.refusal
    assert not findings.tables


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (scores_of({"all": [0.5, 0.6]}), "two groups"),
        (scores_of({"a": [0.5, 0.6]}), "one value of model"),
        (scores_of({"a": [0.5], "b": [math.nan]}), "two groups with a score"),
        (scores_of({"a": [0.5], "b": [0.6]}, bound="lower bound"), "stopped early"),
        (scores_of({"a": [0.5], "b": [0.6]}, not_random="it is a grid"), "grid"),
        (scores_of({str(k): [0.1] for k in range(MOST_GROUPS + 1)}), f"at most {MOST_GROUPS}"),
    ],
)
def test_a_comparison_that_is_refused_has_no_tables(scores: Scores, words: str) -> None:
    findings = comparison_study(scores)
    assert words in findings.refusal
    assert not findings.tables


@pytest.mark.parametrize("field", ["task", "data", "metric", "exit"])
def test_sources_that_measure_different_things_are_not_compared(field: str) -> None:
    one = Measured("one", "clauses", "d3f0", "accuracy", "mean")
    scores = scores_of({"a": [0.5, 0.6], "b": [0.6, 0.7]})
    same = dataclasses.replace(scores, measured=(one, dataclasses.replace(one, source="two")))
    assert not comparison_study(same).refusal
    assert not comparison_study(same).warnings
    other = dataclasses.replace(one, source="two", **{field: "other"})
    refusal = comparison_study(dataclasses.replace(scores, measured=(one, other))).refusal
    assert field in refusal
    assert "other in two" in refusal
    unknown = dataclasses.replace(one, source="two", **{field: ""})
    findings = comparison_study(dataclasses.replace(scores, measured=(one, unknown)))
    assert not findings.refusal
    assert any("two does not record" in warning and field in warning for warning in findings.warnings)


@pytest.mark.parametrize(
    "options",
    [
        {"confidence": 0.0},
        {"estimator": "mean"},
        {"estimator": 1.5},
        {"band": "kss"},
        {"support": (1.0, 0.0)},
        {"budgets": (0.0,)},
        {"budgets": ()},
        {"extrapolate": (1.5,)},
    ],
)
def test_impossible_options_of_curves(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        CurveOptions(**options)


@pytest.mark.parametrize(
    "options", [{"confidences": ()}, {"confidences": (95.0,)}, {"target": math.inf}, {"estimator": "best"}]
)
def test_impossible_options_of_comparisons(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        ComparisonOptions(**options)


# --- one rule for p-values


def test_tests_are_made_up_to_half_of_the_smallest_group() -> None:
    assert budgets_of_tests(1) == (1,)
    assert budgets_of_tests(3) == (1,)
    assert budgets_of_tests(21) == (1, 2, 5, 10)
    assert budgets_of_tests(100) == (1, 2, 5, 10, 20, 50)
    assert budgets_of_tests(10, (1, 10, 40)) == (1, 10), "budgets that are named are tested as named"


def test_no_row_is_at_all_trials_of_a_group() -> None:
    pairs = comparison_study(scores_of(drawn(3, 30)))["pairs"]
    assert pairs["budget"].max() == 10
    assert len(pairs) == 3 * 4


def test_verdicts_say_which_group_is_better_where() -> None:
    groups = {"low": [0.1 + 0.001 * k for k in range(40)], "high": [0.9 + 0.001 * k for k in range(40)]}
    findings = comparison_study(scores_of(groups))
    assert "high for n = 1 to 40" in findings.verdict[0]
    assert "high than low (n = 1 to 20)" in findings.verdict[1]
    turned = comparison_study(scores_of(groups, minimize=True))
    assert "low than high (n = 1 to 20)" in turned.verdict[1]
    none = comparison_study(scores_of({"a": groups["low"], "b": groups["low"]}))
    assert "No permutation test finds two groups to differ" in none.verdict[1]


def test_one_score_bounds_nothing_and_is_no_error() -> None:
    findings = curve_study(scores_of({"all": [0.5]}))
    assert findings["curve"]["estimate"].tolist() == [0.5]
    assert "n = 0" not in " ".join(findings.notes)


# --- a bounded amount of work


def test_probabilities_over_ties_are_those_of_all_pairs_of_ways() -> None:
    """Against sums over the weights of every way of dealing out, with ties."""
    a, b = np.array([0.5, 0.5, 0.7, 0.2]), np.array([0.5, 0.7, 0.7])
    table = compare_pairwise({"a": a, "b": b}, [1, 2, 3], np.random.default_rng(0))
    pooled = np.concatenate((a, b))
    for n, row in zip((1, 2, 3), table.to_dict("records"), strict=True):

        def better(ours: tuple[int, ...], n: int = n) -> float:
            others = [place for place in range(7) if place not in ours]
            wins = [
                (max(pooled[list(x)]) > max(pooled[list(y)])) + 0.5 * (max(pooled[list(x)]) == max(pooled[list(y)]))
                for x in itertools.combinations(ours, n)
                for y in itertools.combinations(others, n)
            ]
            return float(np.mean(wins))

        ways = np.array([better(ours) for ours in itertools.combinations(range(7), 4)])
        observed = better((0, 1, 2, 3))
        assert row["probability_better"] == pytest.approx(observed)
        assert row["p"] == pytest.approx((np.abs(ways - 0.5) >= abs(observed - 0.5) - 1e-9).mean())


@pytest.mark.parametrize(("groups", "size"), [(2, 10), (4, 100), (12, 100), (12, 5_000), (2, 100_000)])
def test_permutations_are_enough_for_holm_and_never_too_many(groups: int, size: int) -> None:
    number = enough_permutations([size] * groups, 6)
    dealt = number * math.comb(groups, 2) * 2 * size
    assert dealt <= max(CELLS_OF_ALL, pairwise.LEAST_PERMUTATIONS * math.comb(groups, 2) * 2 * size)
    if dealt < CELLS_OF_ALL / 2:
        assert number >= PERMUTATIONS
        assert math.comb(groups, 2) * 6 / (1 + number) < 0.05, "the smallest p-value survives the correction"


def test_many_groups_deal_out_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    dealt = []
    some_ways = pairwise._some_ways

    def counted(total: int, chosen: int, number: int, rng: np.random.Generator) -> object:
        dealt.append(total * number)
        return some_ways(total, chosen, min(number, 50), rng)

    monkeypatch.setattr(pairwise, "_some_ways", counted)
    findings = comparison_study(scores_of(drawn(40, 30)))
    assert len(findings["pairs"].drop_duplicates(["a", "b"])) == math.comb(MOST_COMPARED, 2) == len(dealt)
    assert sum(dealt) <= CELLS_OF_ALL
    assert findings["curves"]["by"].nunique() == 40
    assert any(f"{40 - MOST_COMPARED} of 40 groups" in note for note in findings.notes)


@pytest.mark.parametrize("groups", [2, 8, 40])
def test_every_group_has_one_curve_over_cost(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one for each group that it is compared with; and the searches of all together are bounded."""
    orders = []
    curve = study_over_costs.curve_over_cost

    def counted(*arguments: object, **more: object) -> object:
        orders.append(more["orders"])
        return curve(*arguments, **{**more, "orders": 20})

    monkeypatch.setattr(study_over_costs, "curve_over_cost", counted)
    rng = np.random.default_rng(1)
    costs = {name: list(np.exp(rng.normal(0, 3, 20))) for name in drawn(groups, 20)}
    comparison_study(scores_of(drawn(groups, 20), costs))
    assert len(orders) == groups
    assert sum(orders) <= effort_of.SEARCHES_OF_ALL
    assert sum(orders) * 20 <= effort_of.DRAWS_OF_ALL


def test_effort_is_whole_for_a_few_groups_and_shared_by_many() -> None:
    few = effort_of.search_effort(scores_of(drawn(4, 100)).groups, "unbiased")
    assert (few["orders"], few["most_steps"]) == (10_000, effort_of.MOST_STEPS)
    many = effort_of.search_effort(scores_of(drawn(100, 100)).groups, "unbiased")
    assert many["orders"] * 100 <= effort_of.SEARCHES_OF_ALL
    assert many["most_steps"] * 100 <= effort_of.STEPS_OF_ALL


def test_a_group_has_one_curve_whatever_it_is_compared_with() -> None:
    rng = np.random.default_rng(2)
    groups = drawn(3, 30)
    costs = {name: list(rng.random(30) + 0.5) for name in groups}
    three = comparison_study(scores_of(groups, costs), ComparisonOptions(budgets=(5.0, 10.0)))
    two = comparison_study(
        scores_of({name: groups[name] for name in ("g0", "g1")}, {name: costs[name] for name in ("g0", "g1")}),
        ComparisonOptions(budgets=(5.0, 10.0)),
    )
    columns = ["a", "b", "budget", "curve_a", "curve_b", "probability_better"]
    pd.testing.assert_frame_equal(three["pairs"].head(2)[columns], two["pairs"][columns])
