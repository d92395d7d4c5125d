"""Thresholds per exit for a budget: by hand, never above it, and one policy whoever is given it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import records
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitOutput
from greenexp.exits.policies.choose import stream_policy
from greenexp.replay import (
    ExitCosts,
    ExitRecord,
    budgeted_points,
    budgeted_thresholds,
    exits_taken,
    operating_point,
    operating_points,
)

FAMILIES = ["max_probability", "entropy", "max_probability:comparator=>", "entropy:normalised=true,comparator=<="]


def of_confidences(rows: list[list[float]]) -> ExitRecord:
    """Two classes with these largest probabilities, [exit][example]."""
    p = np.array(rows)
    return ExitRecord(np.stack([np.log(p), np.log1p(-p)], axis=2), [0] * p.shape[1], [1] * p.shape[1])


def flat_costs(record: ExitRecord) -> ExitCosts:
    """A layer per exit, and 10 FLOPs."""
    layers = np.arange(1, len(record.numbers) + 1)
    lengths = np.unique(record.lengths)
    flops = np.repeat(10 * layers[:, None], len(lengths), axis=1)
    return ExitCosts(layers, lengths, flops, flops)


def test_by_hand() -> None:
    """Mean 2 of 3 layers: 8 in all. The largest q with floor(4 p_1) + floor(4 (p_1 + p_2)) >= 4 is just under 0.768.

    There floor(4 p_1) = 1 and floor(4 (p_1 + p_2)) = 3: the surest leaves at exit 1 and the next two at exit 2.
    """
    record = of_confidences([[0.9, 0.8, 0.7, 0.6], [0.9, 0.6, 0.95, 0.8], [0.9] * 4])
    costs = flat_costs(record)
    for policy in (
        budgeted_thresholds(record, costs, budget_layers=2),
        budgeted_thresholds(record, costs, 20),
    ):
        assert policy["name"] == "max_probability"
        assert policy["threshold"] == pytest.approx({1: 0.9, 2: 0.8}, rel=1e-6)
        assert exits_taken(record, policy).tolist() == [1, 3, 2, 2]
    entropy = budgeted_thresholds(record, costs, 20, "entropy")
    assert exits_taken(record, entropy).tolist() == [1, 3, 2, 2]
    # A little less takes two at exit 1 (q = 0.618: 4 p_1 = 2), and 4 (p_1 + p_2) = 3.2 leaves one for exit 2: 7 layers.
    tighter = budgeted_thresholds(record, costs, 19.9)
    assert exits_taken(record, tighter).tolist() == [1, 1, 2, 3]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_ends(family: str) -> None:
    """The least budget takes all at the first exit; a large one keeps all to the last."""
    record = drawn_record()
    costs = made_costs(record)
    ends = operating_points(record, "max_probability", costs)["inference_flops"]
    assert set(exits_taken(record, budgeted_thresholds(record, costs, ends.min(), family))) == {1}
    for budget in (ends.max(), 1e30, math.inf):
        all_stay = budgeted_thresholds(record, costs, budget, family)
        assert set(exits_taken(record, all_stay)) == {6}
        assert set(all_stay["threshold"].values()) == {-1.0 if family.startswith("entropy") else 2.0}
    below = ends.min() * 0.99
    for budget in (below, 0, math.nan, -math.inf):
        with pytest.raises(InputError, match="allowed"):
            budgeted_thresholds(record, costs, budget, family)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_budget_is_met_to_one_example_per_exit(family: str) -> None:
    """All lengths alike, and no two examples as sure as each other: what is left is less than an example's move."""
    record = drawn_record(examples=400)
    record = ExitRecord(record.logits, record.labels, np.ones_like(record.lengths))
    costs = made_costs(record)
    curve = budgeted_points(record, costs, 30, family)
    spare = curve["budget_flops"] - curve["inference_flops"]
    assert spare.min() >= 0
    assert spare.max() <= np.diff(costs.dynamic_flops[:, 0]).sum() / 400
    assert curve["inference_flops"].is_monotonic_increasing
    assert curve["speed_up"].is_monotonic_decreasing


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(FAMILIES), st.floats(0, 1.2))
def test_a_budget_is_never_exceeded(record: ExitRecord, family: str, part: float) -> None:
    """Whatever ties, lengths that differ and logits that are not finite."""
    costs = made_costs(record)
    steps = operating_points(record, family, costs)
    least, most = steps["inference_flops"].min(), steps["inference_flops"].max()
    budget = least + part * (most - least)
    policy = budgeted_thresholds(record, costs, budget, family)
    point = operating_point(record, policy, costs)
    assert point["inference_flops"].iloc[0] <= budget * (1 + 1e-12)
    assert set(policy["threshold"]) == set(record.numbers[: max(len(record.numbers) - 1, 1)].tolist())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("in_layers", [False, True])
def test_the_curve_is_what_its_settings_do(family: str, in_layers: bool) -> None:
    record = drawn_record()
    costs = made_costs(record, latency=True)
    curve = budgeted_points(record, costs, 7, family, in_layers=in_layers, metric="macro_f1")
    budget, spent = ("budget_layers", "mean_layers") if in_layers else ("budget_flops", "inference_flops")
    assert curve.columns.tolist() == [
        "policy", "setting", budget, "macro_f1", "inference_flops", "mean_layers", "speed_up", "latency_s",
    ]  # fmt: skip
    assert set(curve["policy"]) == {family}
    assert (curve[spent] <= curve[budget]).all()
    assert np.ptp(np.diff(curve[budget])) == pytest.approx(0, abs=1e-6 * curve[budget].max())
    for row in curve.to_dict("records"):
        again = operating_point(record, row["setting"], costs, "macro_f1")
        for name in ("macro_f1", "inference_flops", "latency_s"):
            assert again[name].iloc[0] == row[name]
        asked: dict[str, Any] = {budget: row[budget]}
        same = budgeted_thresholds(record, costs, family=family, **asked)
        assert np.array_equal(exits_taken(record, same), exits_taken(record, row["setting"]))


def test_the_stream_form_decides_with_them() -> None:
    record = drawn_record(examples=50)
    policy = budgeted_thresholds(record, made_costs(record), budget_layers=7, family="entropy")
    taken = exits_taken(record, policy)
    for example in range(50):
        stream = stream_policy(policy).stream()
        for place, number in enumerate(record.numbers):
            decision = stream.decide(ExitOutput(int(number), torch.from_numpy(record.logits[place, [example]])))
            if bool(decision.leaves[0]) or number == record.numbers[-1]:
                assert taken[example] == number
                break
    assert len(set(taken)) == 6


def test_only_those_more_sure_leave_before_those_less_sure() -> None:
    """At each exit, of those who got there, the ones who leave are surer than the ones who stay."""
    record = drawn_record(examples=500)
    policy = budgeted_thresholds(record, made_costs(record), budget_layers=6)
    taken = exits_taken(record, policy)
    sure = np.exp(record.logits - np.logaddexp.reduce(record.logits, axis=2, keepdims=True)).max(axis=2)
    for number in range(1, 6):
        leaving, staying = sure[number - 1, taken == number], sure[number - 1, taken > number]
        assert len(leaving)
        assert leaving.min() > staying.max() - 1e-6


def test_one_exit_and_one_example() -> None:
    record = drawn_record(exits=1, examples=1)
    costs = made_costs(record)
    policy = budgeted_thresholds(record, costs, 1e12)
    assert exits_taken(record, policy).tolist() == [1]
    curve = budgeted_points(record, costs, 2)
    assert curve["speed_up"].tolist() == [1, 1]


def test_what_is_wrong_is_said() -> None:
    record = drawn_record()
    costs = made_costs(record)
    with pytest.raises(InputError, match="either budget_flops or budget_layers"):
        budgeted_thresholds(record, costs)
    with pytest.raises(InputError, match="either budget_flops or budget_layers"):
        budgeted_thresholds(record, costs, 1e9, budget_layers=3)
    with pytest.raises(InputError, match=r"max_probability and entropy.*'patience'"):
        budgeted_thresholds(record, costs, 1e9, "patience")
    with pytest.raises(InputError, match=r"0\.5 layers.*2 to 12"):
        budgeted_thresholds(record, costs, budget_layers=0.5)
    with pytest.raises(InputError, match="at least 2 points"):
        budgeted_points(record, costs, 1)
    with pytest.raises(InputError, match="2 exits"):
        budgeted_thresholds(record, made_costs(drawn_record(exits=2)), 1e9)
    numbers = drawn_record(classes=1)
    with pytest.raises(InputError, match="two classes"):
        budgeted_thresholds(numbers, made_costs(numbers), 1e9)


def test_a_threshold_given_with_the_family_does_not_matter() -> None:
    record = drawn_record()
    costs = made_costs(record)
    given_one = budgeted_points(record, costs, 4, {"name": "entropy", "threshold": {1: 0.2}})
    pd.testing.assert_frame_equal(given_one, budgeted_points(record, costs, 4, "entropy"))
