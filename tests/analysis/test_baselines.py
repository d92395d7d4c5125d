"""The policy on test beside the last exit, the majority class, and models that answer one class."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sweeps import sweep, with_answers, with_thresholds
from scipy import stats

from greenexp.analysis.exits.policy_on_test import policy_on_test
from greenexp.analysis.numbers.intervals import mean_interval, wilson_interval
from greenexp.analysis.sweeps.baselines import majority_score, one_class_trials, tied_at_majority
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.records.answers import ExampleAnswers
from greenexp.records.tables import SweepTables, typed_frame
from greenexp.report.sections import headline


def with_test_scores(tables: SweepTables, examples: int = 400) -> SweepTables:
    rows = [
        {"trial": trial, "configuration": configuration, "evaluation": 1, "time_s": 200.0, "epoch": 9,
         "examples": examples, "score": 0.7, "exit": exit_, "layer": exit_, "inference_flops": 1e6 * exit_,
         "test_accuracy": 0.6 + 0.05 * exit_}
        for trial, configuration in zip(tables.trials["trial"], tables.trials["configuration"], strict=True)
        for exit_ in (1, 2, 3, 4)
    ]  # fmt: skip
    return dataclasses.replace(tables, held_out=typed_frame("held_out", rows, {"test_accuracy": "float64"}))


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    policies = ("max_probability", "patience", "oracle")
    return with_test_scores(with_thresholds(sweep(3, 2, exits=4), 300, policies=policies, test=True))


def constant(tables: SweepTables, answers: int = 1) -> SweepTables:
    """The same sweep with models that all give one answer, and the scores that follow."""
    labels = np.array([0] * 32 + [1] * 68, dtype=np.int8)
    said = np.full((3, 100), answers, dtype=np.int8)
    each = ExampleAnswers(said, labels, np.array([1, 2, 3]))
    trials = tables.trials.assign(score=float((labels == answers).mean()))
    return dataclasses.replace(tables, answers=dict.fromkeys(trials["trial"], each), trials=trials)


def test_the_best_policy_on_dev_is_set_beside_the_last_exit_on_test(tables: SweepTables) -> None:
    found = policy_on_test(tables)
    assert found is not None
    rows = tables.thresholds_on_test
    own = rows[(rows["configuration"] == found.configuration) & (rows["policy"] == found.policy)]
    own = own[own["target"] == 2.0]
    assert (found.configuration, found.trials, found.examples) == ("c002", 2, 400)
    assert found.score == pytest.approx(own["test_score"].mean())
    assert found.speed_up == pytest.approx(own["test_speed_up"].mean())
    assert found.last_exit == pytest.approx(0.8)
    assert found.kept == pytest.approx(own["test_score"].mean() / 0.8)
    assert found.over_examples == wilson_interval(found.score, 400)
    assert found.over_trials == mean_interval(own["test_score"])


def test_it_stands_in_the_first_section(tables: SweepTables) -> None:
    found = policy_on_test(tables)
    assert found is not None
    numbers = (found.score, found.last_exit, *found.over_examples, *found.over_trials)
    said = [sentence for sentence in headline.section(tables).headline if f"{found.speed_up:.2f}×" in sentence]
    assert len(said) == 1
    assert all(f"{number:.4f}" in said[0] for number in numbers)
    assert f"{100 * found.kept:.1f} %" in said[0]


def test_without_test_logits_there_is_none() -> None:
    tables = with_test_scores(with_thresholds(sweep(2, 2, exits=4), 200))
    assert policy_on_test(tables) is None
    assert policy_on_test(sweep(2, 2)) is None


def test_a_speed_up_of_two_that_nobody_reaches_gives_a_smaller_one(tables: SweepTables) -> None:
    points = tables.operating_points
    slow = dataclasses.replace(tables, operating_points=points[points["speed_up"] < 1.7].reset_index(drop=True))
    found = policy_on_test(slow)
    assert found is not None
    assert found.target == 1.5


@given(right=st.integers(0, 200), wrong=st.integers(0, 200))
def test_wilson_is_scipys(right: int, wrong: int) -> None:
    n = right + wrong
    if n == 0:
        assert all(map(math.isnan, wilson_interval(0.5, 0)))
        return
    reference = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_the_mean_has_students_interval() -> None:
    values = [0.7, 0.72, 0.77]
    reference = stats.ttest_1samp(values, 0).confidence_interval()
    assert mean_interval(values) == pytest.approx((reference.low, reference.high))
    assert all(map(math.isnan, mean_interval([0.7])))


@pytest.mark.parametrize(
    ("metric", "score"), [("accuracy", 0.68), ("f1", 2 * 0.68 / 1.68), ("matthews", 0.0), ("macro_f1", 0.68 / 1.68)]
)
def test_the_majority_class_has_the_score_of_its_metric(metric: str, score: float) -> None:
    each = next(iter(constant(sweep()).answers.values()))
    assert majority_score(each, metric) == pytest.approx(score)


def test_there_is_no_majority_class_of_numbers_or_of_a_loss() -> None:
    numbers = next(iter(with_answers(sweep(metric={"name": "pearson"}), classes=1).answers.values()))
    assert math.isnan(majority_score(numbers, "pearson"))
    assert math.isnan(majority_score(next(iter(with_answers(sweep()).answers.values())), "loss"))


def test_models_that_answer_one_class_are_named_and_warned_of() -> None:
    tables = constant(sweep(3, 2))
    assert one_class_trials(tables.answers) == list(tables.trials["trial"])
    assert one_class_trials(with_answers(sweep(3, 2)).answers) == []
    warned = [sentence for sentence in headline.section(tables).headline if sentence.startswith("Warning")]
    assert len(warned) == 2
    assert "6 of 6" in warned[0]
    assert "0.6800" in warned[1]


def test_a_test_set_of_one_class_makes_no_model_suspect() -> None:
    labels = np.ones(10, dtype=np.int8)
    assert one_class_trials({"t": ExampleAnswers(np.ones((1, 10), np.int8), labels, np.array([1]))}) == []


def test_the_best_are_tied_only_at_the_majoritys_score() -> None:
    tables = constant(sweep(3, 2))
    assert tied_at_majority(tables, configuration_table(tables)) == 3
    worse = constant(sweep(3, 2), answers=0)
    assert tied_at_majority(worse, configuration_table(worse)) == 0
    learned = with_answers(sweep(3, 2))
    assert tied_at_majority(learned, configuration_table(learned)) == 0
