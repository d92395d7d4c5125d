"""Scores of every operating point by events are those of `greenexp.tasks.metrics`, and of the exits really taken."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import records
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.replay import FAMILIES, ExitCosts, ExitRecord, exits_taken, operating_point, operating_points
from greenexp.replay.chosen import at_threshold
from greenexp.replay.correlations import pearson, spearman
from greenexp.replay.family import Family
from greenexp.replay.points import GRID
from greenexp.tasks import metrics

OF_CLASSES = ["accuracy", "f1", "accuracy_and_f1", "macro_f1", "matthews"]
OF_NUMBERS = ["pearson", "spearman", "pearson_and_spearman", "mean_squared_error"]


def said(record: ExitRecord, family: Family) -> np.ndarray:
    """What each example answers with this very policy."""
    return family.answers(record)[family.taken(record), np.arange(len(record.labels))]


def oracle_score(metric: str, answers: np.ndarray, record: ExitRecord) -> float:
    """`tasks.metrics.score` of logits that say what the examples answered."""
    if record.is_regression:
        name, logits = ("loss", ()) if metric == "mean_squared_error" else (metric, (metric,))
        found = metrics.score(logits, answers[None, :, None].astype(np.float64), record.labels)[0][name]
    else:
        one_hot = np.eye(record.logits.shape[2])[answers]
        found = metrics.score([metric], one_hot[None], record.labels)[0][metric]
    return math.nan if found is None else found


def check_points(record: ExitRecord, name: str, metric: str, step: int = 1) -> None:
    family = FAMILIES[name]()
    points = operating_points(record, name, made_costs(record), metric)
    for row in points.iloc[::step].to_dict("records"):
        known = not math.isnan(row["threshold"])
        policy = at_threshold(family, row["threshold"], record) if known else family
        expected = oracle_score(metric, said(record, policy), record)
        assert row[metric] == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(sorted(FAMILIES)), st.sampled_from(OF_CLASSES))
def test_every_score_of_classes_is_that_of_the_answers(record: ExitRecord, name: str, metric: str) -> None:
    check_points(record, name, metric)


@settings(max_examples=60, deadline=None)
@given(records(regression=True), st.sampled_from(["static", "patience", "learned"]), st.sampled_from(OF_NUMBERS))
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # of the one that is compared with
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_every_score_of_numbers_is_that_of_the_answers(record: ExitRecord, name: str, metric: str) -> None:
    check_points(record, name, metric)


@pytest.mark.parametrize("metric", OF_CLASSES)
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_scores_of_many_examples(name: str, metric: str) -> None:
    for classes in (2, 5):
        check_points(drawn_record(classes=classes, seed=classes), name, metric, step=40)


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_hundreds_of_classes(metric: str) -> None:
    check_points(drawn_record(examples=300, classes=300), "max_probability", metric, step=200)


def test_a_metric_is_not_defined_where_there_is_nothing_to_compare() -> None:
    """Exit 1 predicts class 0 alone, exit 2 both; no label is 1 in the other record."""
    logits = np.array([[[1, 0], [1, 0]], [[1, 0], [0, 1]]], dtype=np.float32)
    record = ExitRecord(logits, [0, 1], [1, 1])
    costs = made_costs(record)
    assert operating_points(record, "static", costs, "matthews")["matthews"].tolist() == pytest.approx(
        [math.nan, 1], nan_ok=True
    )
    assert operating_points(record, "static", costs, "f1")["f1"].tolist() == [0, 1]
    zeros = ExitRecord(logits[:1, :1], [0], [1])
    assert math.isnan(operating_points(zeros, "static", made_costs(zeros), "f1")["f1"].iloc[0])
    third = ExitRecord(np.eye(3)[[[0, 1], [2, 1]]], [0, 1], [1, 1])
    assert operating_points(third, "static", made_costs(third), "f1")["f1"].tolist() == pytest.approx(
        [1, math.nan], nan_ok=True
    )


def test_regression_is_scored_on_a_grid_of_the_points() -> None:
    """Both ends are there, each point is one of the staircase, and each is exact."""
    record = drawn_record(examples=500, classes=1)
    costs = made_costs(record)
    points = operating_points(record, "learned", costs)
    assert points.columns.tolist()[2] == "pearson"
    assert len(points) == GRID
    whole = FAMILIES["learned"]().staircase(record).thresholds
    assert len(whole) > 2 * GRID
    assert set(points["threshold"]) <= set(whole)
    assert points["threshold"].iloc[[0, -1]].tolist() == [whole.min(), whole.max()]
    check_points(record, "learned", "spearman", step=20)
    for row in points.iloc[::25].to_dict("records"):
        taken = np.searchsorted(record.numbers, exits_taken(record, f"learned:{row['threshold']!r}"))
        assert row["mean_layers"] == pytest.approx(costs.layers[taken].mean(), rel=1e-12)
    assert len(operating_points(record, "static", costs)) == 6


def test_a_number_that_is_none_gives_no_score() -> None:
    logits = np.array([[1, np.nan, 3], [1, 2, 3]], dtype=np.float32)[:, :, None]
    record = ExitRecord(logits, [1.0, 2.0, 4.0], [1, 1, 1])
    for metric in OF_NUMBERS:
        first, last = operating_points(record, "static", made_costs(record), metric)[metric]
        assert math.isnan(first)
        assert not math.isnan(last)


def test_what_varies_by_rounding_alone_correlates_with_nothing() -> None:
    wobble = 1e15 + np.arange(3.0)
    for correlation in (pearson, spearman):
        for constant in (np.full(3, 0.1), wobble):
            assert math.isnan(correlation(constant, np.arange(3.0)))
            assert math.isnan(correlation(np.arange(3.0), constant))
        assert correlation(np.array([1.0, 2, 4]), np.array([1e30, 2e30, 4e30])) == pytest.approx(1)
        assert correlation(np.array([1.0, 2, 4]), np.array([-1e-40, -2e-40, -4e-40])) == pytest.approx(-1)


def test_a_metric_of_the_other_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"'pearson'.*accuracy, f1"):
        operating_points(drawn_record(), "static", made_costs(drawn_record()), "pearson")
    numbers = drawn_record(classes=1)
    with pytest.raises(InputError, match=r"'accuracy'.*pearson, spearman"):
        operating_points(numbers, "static", made_costs(numbers), "accuracy")


@pytest.mark.parametrize("name", ["max_probability", "static"])
def test_latency_is_summed_over_the_exits_taken(name: str) -> None:
    """That of a policy that skips exits was not measured."""
    record = drawn_record()
    costs = made_costs(record, latency=True)
    assert costs.latency_s is not None
    points = operating_points(record, name, costs)
    assert points.columns[-1] == "latency_s"
    for row in points.iloc[::50].to_dict("records"):
        places = np.searchsorted(record.numbers, exits_taken(record, f"{name}:{row['threshold']!r}"))
        expected = costs.latency_s[places, costs.columns(record.lengths)].mean() if name != "static" else math.nan
        assert row["latency_s"] == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("seconds", "message"), [(np.ones((2, 1)), "shape"), (np.full((6, 8), np.nan), "finite"), (np.zeros((6, 8)), "0")]
)
def test_latency_is_checked(seconds: np.ndarray, message: str) -> None:
    whole = np.ones((6, 8))
    with pytest.raises(InputError, match=f"latency_s.*{message}"):
        ExitCosts(np.arange(1, 7), np.arange(1, 9), whole, whole, seconds)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_one_point_is_the_row_of_its_threshold(name: str) -> None:
    record = drawn_record()
    costs = made_costs(record, latency=True)
    points = operating_points(record, name, costs, "macro_f1")
    row = points.iloc[[len(points) // 2]].reset_index(drop=True)
    threshold = float(row["threshold"].iloc[0])
    policy = name if math.isnan(threshold) else {"name": name, "threshold": threshold}
    pd.testing.assert_frame_equal(operating_point(record, policy, costs, "macro_f1"), row, rtol=1e-12)
