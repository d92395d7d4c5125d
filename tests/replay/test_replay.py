"""Replay: equal to brute force over thresholds and to the policies in stream form, on random and nasty logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import made_costs, random_record, records, streamed

from greenexp.errors import InputError, UnknownNameError
from greenexp.exits import POLICIES
from greenexp.exits.policies.max_probability import MaxProbability
from greenexp.exits.policies.softmax import max_probability
from greenexp.exits.policies.static import Static
from greenexp.replay import FAMILIES, ExitCosts, ExitRecord, exits_taken, operating_points


def by_hand(record: ExitRecord, policy: Any, costs: ExitCosts, flops_table: np.ndarray) -> dict[str, float]:
    """One operating point from the exits taken, example by example."""
    places = np.searchsorted(record.numbers, exits_taken(record, policy))
    right, flops, layers = 0, 0, 0
    for example, place in enumerate(places):
        right += int(np.argmax(record.logits[place, example]) == record.labels[example])
        flops += int(flops_table[place, list(costs.lengths).index(record.lengths[example])])
        layers += int(costs.layers[place])
    n = len(places)
    return {"accuracy": right / n, "inference_flops": flops / n, "mean_layers": layers / n,
            "speed_up": costs.layers[-1] / (layers / n)}  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(records())
def test_every_point_of_max_probability_is_what_brute_force_finds(record: ExitRecord) -> None:
    costs = made_costs(record)
    points = operating_points(record, "max_probability", costs)
    assert points["threshold"].is_monotonic_increasing
    assert points["threshold"].is_unique
    for row in points.to_dict("records"):
        policy = {"name": "max_probability", "threshold": row["threshold"]}
        found = by_hand(record, policy, costs, costs.dynamic_flops)
        assert {name: row[name] for name in found} == found


@settings(max_examples=30, deadline=None)
@given(records())
def test_no_outcome_is_missing(record: ExitRecord) -> None:
    """Between two neighbouring thresholds nothing happens; each threshold itself changes who leaves where."""
    thresholds = operating_points(record, "max_probability", made_costs(record))["threshold"].to_numpy()
    taken = [tuple(exits_taken(record, MaxProbability(threshold=t))) for t in thresholds]
    assert len(set(taken)) == len(taken)
    for low, high, outcome in zip(thresholds, thresholds[1:], taken[1:], strict=False):
        middle = np.float32(low) / 2 + np.float32(high) / 2
        if low < middle < high:
            assert tuple(exits_taken(record, MaxProbability(threshold=float(middle)))) == outcome
    assert tuple(exits_taken(record, MaxProbability(threshold=0.0))) == taken[0]


@settings(max_examples=30, deadline=None)
@given(records(), st.data())
def test_replay_decides_as_the_stream(record: ExitRecord, data: st.DataObject) -> None:
    thresholds = operating_points(record, "max_probability", made_costs(record))["threshold"].tolist()
    for threshold in [*thresholds, data.draw(st.floats(0, 1.5))]:
        policy = MaxProbability(threshold=threshold)
        assert exits_taken(record, policy).tolist() == streamed(record, policy)[0]
    for number in (None, data.draw(st.integers(1, 13))):
        assert exits_taken(record, Static(exit=number)).tolist() == streamed(record, Static(exit=number))[0]


@pytest.mark.parametrize("classes", [2, 3, 7, 30])
def test_replay_decides_as_the_stream_at_every_threshold_of_many_examples(classes: int) -> None:
    record = random_record(examples=400, classes=classes, seed=classes)
    probabilities = max_probability(torch.from_numpy(record.logits)).numpy()
    points = operating_points(record, "max_probability", made_costs(record))
    events = np.maximum.accumulate(probabilities[:-1], axis=0)
    assert points["threshold"].tolist() == [*np.unique(events).astype(float), 2.0]
    for threshold in points["threshold"].iloc[:: len(points) // 20]:
        policy = MaxProbability(threshold=threshold)
        assert exits_taken(record, policy).tolist() == streamed(record, policy, batch=100)[0]


@settings(max_examples=30, deadline=None)
@given(records())
def test_static_points_are_the_exits_alone(record: ExitRecord) -> None:
    costs = made_costs(record)
    points = operating_points(record, "static", costs)
    assert points["threshold"].tolist() == record.numbers.tolist()
    for row in points.to_dict("records"):
        found = by_hand(record, Static(exit=int(row["threshold"])), costs, costs.static_flops)
        assert {name: row[name] for name in found} == found


def test_the_ends_of_the_staircase() -> None:
    """The lowest threshold is the first exit for all, the highest the last exit, with every head on the way paid."""
    record = random_record()
    costs = made_costs(record)
    points = operating_points(record, "max_probability", costs)
    static = operating_points(record, "static", costs)
    assert points["accuracy"].iloc[[0, -1]].tolist() == static["accuracy"].iloc[[0, -1]].tolist()
    assert points["mean_layers"].iloc[[0, -1]].tolist() == [2.0, 12.0]
    assert points["inference_flops"].iloc[-1] > static["inference_flops"].iloc[-1]
    assert len(points) > 1000


def test_ties_leave_together_and_at_the_threshold() -> None:
    logits = np.zeros((2, 3, 2))
    logits[0, 2, 1] = 1.0
    record = ExitRecord(logits, [0, 1, 1], [1, 1, 1])
    assert exits_taken(record, MaxProbability(threshold=0.5)).tolist() == [1, 1, 1]
    points = operating_points(record, "max_probability", made_costs(record))
    assert points["mean_layers"].tolist() == [2.0, 10 / 3, 4.0]
    assert points["accuracy"].tolist() == [2 / 3, 2 / 3, 1 / 3]


def test_what_is_not_finite_is_never_confident_and_saturated_logits_are() -> None:
    logits = np.array([[[np.nan, 0], [0, np.inf], [-np.inf, 0], [1e4, -1e4], [3e38, 0]], [[0, 1]] * 5])
    record = ExitRecord(logits, [1] * 5, [4] * 5)
    assert exits_taken(record, MaxProbability(threshold=0.0)).tolist() == [2, 2, 2, 1, 1]
    assert exits_taken(record, MaxProbability(threshold=1.0)).tolist() == [2, 2, 2, 1, 1]
    assert operating_points(record, "max_probability", made_costs(record))["threshold"].tolist() == [1.0, 2.0]


def test_an_exit_that_was_not_trained_is_never_consulted() -> None:
    """Exits 2 and 5 of six were trained: no other number is taken, and asking for one of them means the next."""
    record = random_record(exits=2)
    record = ExitRecord(record.logits, record.labels, record.lengths, [2, 5])
    assert set(exits_taken(record, MaxProbability(threshold=0.6))) == {2, 5}
    assert [set(exits_taken(record, Static(exit=number))) for number in (1, 3, 6)] == [{2}, {5}, {5}]


def test_regression_has_no_confidence() -> None:
    record = ExitRecord(np.zeros((2, 3, 1)), [0.1, 0.2, 0.3], [1, 1, 1])
    for call in (
        lambda: exits_taken(record, "max_probability"),
        lambda: operating_points(record, "max_probability", made_costs(record)),
    ):
        with pytest.raises(InputError, match="two classes"):
            call()
    assert exits_taken(record, "static").tolist() == [2, 2, 2]


def test_one_exit_has_one_point() -> None:
    record = random_record(exits=1)
    points = operating_points(record, "max_probability", made_costs(record))
    assert points["threshold"].tolist() == [2.0]
    assert points["speed_up"].tolist() == [1.0]


@pytest.mark.parametrize("policy", [MaxProbability(threshold=0.7), {"name": "max_probability", "threshold": 0.7}])
def test_a_policy_can_be_given_as_an_object_or_as_in_a_file(policy: Any) -> None:
    record = random_record()
    expected = exits_taken(record, FAMILIES["max_probability"](threshold=0.7))  # type: ignore[call-arg]
    assert np.array_equal(exits_taken(record, policy), expected)
    assert len(set(expected)) > 2


def test_every_policy_with_a_family_names_one_of_replay() -> None:
    assert {POLICIES[name].family for name in POLICIES} == set(FAMILIES)  # type: ignore[attr-defined]


def test_what_is_wrong_is_said() -> None:
    record = random_record()
    costs = made_costs(record)
    with pytest.raises(UnknownNameError, match="'max_probability'"):
        exits_taken(record, "max_probabilty")
    with pytest.raises(InputError, match=r"'treshold'.*'threshold'"):
        exits_taken(record, {"name": "max_probability", "treshold": 1})
    with pytest.raises(InputError, match="exit policy"):
        exits_taken(record, 7)
    with pytest.raises(InputError, match=r"shape \(2,\)"):
        ExitRecord(record.logits, [0, 1], record.lengths)
    with pytest.raises(InputError, match="ascending numbers"):
        ExitRecord(record.logits, record.labels, record.lengths, [1, 2, 3, 4, 6, 6])
    with pytest.raises(InputError, match=r"2 exits.*6"):
        operating_points(record, "static", made_costs(random_record(exits=2)))
    with pytest.raises(InputError, match=r"length [3-8]"):
        operating_points(record, "static", ExitCosts(costs.layers, [1, 2], *[np.zeros((6, 2))] * 2))
    with pytest.raises(InputError, match="without examples"):
        operating_points(ExitRecord(np.zeros((2, 0, 2)), [], []), "static", made_costs(random_record(exits=2)))


def test_the_table_is_typed() -> None:
    points = operating_points(random_record(), "max_probability", made_costs(random_record()))
    assert list(points.columns) == ["policy", "threshold", "accuracy", "inference_flops", "mean_layers", "speed_up"]
    assert set(points["policy"]) == {"max_probability"}
    assert all(pd.api.types.is_float_dtype(points[name]) for name in points.columns[1:])
