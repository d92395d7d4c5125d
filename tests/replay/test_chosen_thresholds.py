"""Thresholds are chosen on dev by one rule, and those very ones are reported on test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.replay import FAMILIES, ExitRecord, chosen_thresholds, on_test, operating_point, operating_points
from greenexp.replay.chosen import TARGETS

COLUMNS = [
    "policy", "target", "threshold", "dev_score", "dev_speed_up", "dev_inference_flops", "test_score", "test_speed_up",
    "test_inference_flops",
]  # fmt: skip


def made_points(rows: list[tuple[float, float, float, float]], policy: str = "static") -> pd.DataFrame:
    """threshold, score, inference_flops, speed_up."""
    points = pd.DataFrame(rows, columns=["threshold", "accuracy", "inference_flops", "speed_up"])
    points.insert(0, "policy", policy)
    return points.assign(mean_layers=12 / points["speed_up"])


def test_the_best_score_that_is_fast_enough() -> None:
    points = made_points([(0.1, 0.6, 3, 4), (0.2, 0.8, 4, 3), (0.3, 0.7, 5, 2), (0.9, 0.9, 9, 1)])
    chosen = chosen_thresholds(points, (1, 2, 3, 3.5, 4, 4.5))
    assert chosen["target"].tolist() == [1, 2, 3, 3.5, 4]
    assert chosen["threshold"].tolist() == [0.9, 0.2, 0.2, 0.1, 0.1]
    assert chosen.columns.tolist() == ["policy", "target", *points.columns[1:]]


def test_ties_go_to_the_cheaper_and_then_to_the_larger_threshold() -> None:
    points = made_points([(0.1, 0.8, 5, 2), (0.2, 0.8, 4, 2), (0.3, 0.8, 4, 2), (0.4, np.nan, 1, 9)])
    assert chosen_thresholds(points, [1])["threshold"].tolist() == [0.3]
    assert chosen_thresholds(points, [9]).empty
    assert chosen_thresholds(points.iloc[:0]).empty


def test_of_an_error_the_least_is_best() -> None:
    points = made_points([(0.1, 0.6, 3, 4), (0.2, 0.8, 4, 3)]).rename(columns={"accuracy": "mean_squared_error"})
    assert chosen_thresholds(points, [1])["threshold"].tolist() == [0.1]


def test_each_policy_for_itself() -> None:
    points = pd.concat([made_points([(1, 0.5, 3, 1)], "static"), made_points([(2, 0.6, 3, 2)], "patience")])
    chosen = chosen_thresholds(points, [1, 2])
    assert chosen[["policy", "target"]].to_numpy().tolist() == [["static", 1], ["patience", 1], ["patience", 2]]


def test_a_table_with_two_scores_is_refused() -> None:
    with pytest.raises(InputError, match="one column"):
        chosen_thresholds(made_points([(1, 0.5, 3, 1)]).assign(f1=0.5))


@pytest.mark.parametrize("metric", ["accuracy", "matthews"])
def test_on_test(metric: str) -> None:
    """Every row: the dev point is the best one there is, and test is what that threshold does on test."""
    dev, test = drawn_record(seed=1), drawn_record(examples=150, seed=2)
    dev_costs = made_costs(dev)
    test_costs = dataclasses.replace(made_costs(test), dynamic_flops=3 * dev_costs.dynamic_flops)
    names = sorted(FAMILIES)
    table = on_test(dev, dev_costs, test, test_costs, names, metric=metric)
    assert table.columns.tolist() == COLUMNS
    assert table["policy"].unique().tolist() == [name for name in names if name != "oracle"]
    for row in table.to_dict("records"):
        points = operating_points(dev, row["policy"], dev_costs, metric)
        fast = points[points["speed_up"] >= row["target"]]
        assert row["dev_score"] == fast[metric].max()
        assert row["dev_speed_up"] >= row["target"]
        own = points.loc[points["threshold"] == row["threshold"]]
        assert own[metric].tolist() == [row["dev_score"]]
        assert own["inference_flops"].tolist() == [row["dev_inference_flops"]]
        on = operating_point(test, {"name": row["policy"], "threshold": row["threshold"]}, test_costs, metric)
        assert on[[metric, "speed_up", "inference_flops"]].to_numpy().tolist() == [
            [row["test_score"], row["test_speed_up"], row["test_inference_flops"]]
        ]
    for name, rows in table.groupby("policy"):
        fastest = operating_points(dev, name, dev_costs)["speed_up"].max()
        assert rows["target"].tolist() == [target for target in TARGETS if target <= fastest]


def test_test_has_no_say() -> None:
    """With other labels on test, the same thresholds are chosen."""
    dev, test = drawn_record(seed=1), drawn_record(seed=2)
    other = dataclasses.replace(test, labels=(test.labels + 1) % 3)
    tables = [
        on_test(dev, made_costs(dev), seen, made_costs(seen), ["max_probability", "patience"]) for seen in (test, other)
    ]
    same = COLUMNS[:6]
    pd.testing.assert_frame_equal(tables[0][same], tables[1][same])
    assert (tables[0]["test_score"] != tables[1]["test_score"]).all()


def test_regression() -> None:
    """Without a tolerance patience is swept over it, and that is what is applied to test."""
    dev, test = drawn_record(classes=1, seed=1), drawn_record(classes=1, seed=2)
    table = on_test(dev, made_costs(dev), test, made_costs(test), ["patience:1", "static"], [1.5])
    assert table["policy"].str.startswith(("patience", "static")).all()
    assert len(table) == 2
    row = table.iloc[0]
    policy = {"name": "patience", "patience": 1, "tolerance": row["threshold"]}
    assert operating_point(test, policy, made_costs(test))["pearson"].iloc[0] == row["test_score"]


def test_nobody_reaches_the_target() -> None:
    dev = drawn_record()
    table = on_test(dev, made_costs(dev), dev, made_costs(dev), ["static", "oracle"], [99])
    assert table.empty
    assert table.columns.tolist() == COLUMNS
    assert table["test_score"].dtype == np.float64


def test_on_the_same_examples_test_is_dev() -> None:
    dev = drawn_record()
    same = ExitRecord(dev.logits, dev.labels, dev.lengths, dev.numbers, dev.learned)
    table = on_test(dev, made_costs(dev), same, made_costs(same), ["max_probability", "entropy", "learned", "voting"])
    for name in ("score", "speed_up", "inference_flops"):
        assert table[f"dev_{name}"].tolist() == pytest.approx(table[f"test_{name}"].tolist(), rel=1e-12)
