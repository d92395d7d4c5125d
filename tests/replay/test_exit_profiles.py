"""Who leaves where over the operating points, and who should have left earlier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import records
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.replay import FAMILIES, ExitRecord, exit_profiles, exits_taken, operating_points, overthinking
from greenexp.replay.profiles import exit_counts
from greenexp.replay.steps import thinned, totals


@settings(max_examples=60, deadline=None)
@given(records(), st.sampled_from(sorted(FAMILIES)), st.integers(2, 6))
def test_shares_are_those_of_the_exits_taken(record: ExitRecord, name: str, most: int) -> None:
    costs = made_costs(record)
    profiles = exit_profiles(record, name, costs, most)
    points = operating_points(record, name, costs)
    found = [rows for _, rows in profiles.groupby(np.arange(len(profiles)) // len(record.numbers))]
    assert 1 <= len(found) <= most
    assert profiles["speed_up"].is_monotonic_increasing
    assert profiles["speed_up"].iloc[[0, -1]].tolist() == [points["speed_up"].min(), points["speed_up"].max()]
    for rows in found:
        threshold = rows["threshold"].iloc[0]
        policy = name if np.isnan(threshold) else {"name": name, "threshold": threshold}
        taken = exits_taken(record, policy)
        assert rows["share"].tolist() == [(taken == number).mean() for number in record.numbers]
        assert rows["exit"].tolist() == record.numbers.tolist()
        assert rows["layer"].tolist() == costs.layers.tolist()
        assert rows["speed_up"].iloc[0] == pytest.approx(costs.layers[-1] / (rows["share"] @ rows["layer"]))


def test_the_slowest_comes_first() -> None:
    record = drawn_record(exits=3)
    profiles = exit_profiles(record, "static", made_costs(record))
    assert profiles["threshold"].tolist() == [3] * 3 + [2] * 3 + [1] * 3
    assert profiles["exit"].tolist() == [1, 2, 3] * 3
    assert profiles["share"].tolist() == [0, 0, 1, 0, 1, 0, 1, 0, 0]


def test_points_are_even_over_speed_up() -> None:
    record = drawn_record(examples=2000)
    profiles = exit_profiles(record, "max_probability", made_costs(record))
    speed_ups = profiles["speed_up"].unique()
    assert len(speed_ups) == 25
    assert speed_ups == pytest.approx(np.linspace(speed_ups[0], speed_ups[-1], 25), abs=0.05)


@given(records(), st.sets(st.integers(0, 30), min_size=1))
@settings(max_examples=60, deadline=None)
def test_a_staircase_with_fewer_points_is_the_same_at_those_left(record: ExitRecord, wanted: set[int]) -> None:
    """Whichever are left, the first among them."""
    steps = FAMILIES["max_probability"]().staircase(record)
    keep = np.array(sorted({place % len(steps.thresholds) for place in wanted}))
    few = thinned(steps, keep)
    exits = len(record.numbers)
    assert few.thresholds.tolist() == steps.thresholds[keep].tolist()
    assert exit_counts(few, exits).tolist() == exit_counts(steps, exits)[keep].tolist()
    values = np.random.default_rng(0).integers(0, 99, record.logits.shape[:2])
    assert totals(few, values).tolist() == totals(steps, values)[keep].tolist()


def test_one_profile_has_two_ends() -> None:
    record = drawn_record()
    with pytest.raises(InputError, match="at least 2 points"):
        exit_profiles(record, "static", made_costs(record), 1)
    with pytest.raises(InputError, match="without examples"):
        exit_profiles(ExitRecord(np.zeros((2, 0, 2)), [], []), "static", made_costs(drawn_record(exits=2)))


def test_overthinking_by_hand() -> None:
    """Five of class 0: right all along; wrong at last; right from exit 3 on; never right; right, wrong, right."""
    says = np.array([[0, 0, 1, 1, 0], [0, 0, 0, 1, 1], [0, 1, 0, 1, 0]])
    record = ExitRecord(np.eye(2)[says], [0] * 5, [1] * 5, [2, 3, 6])
    table = overthinking(record, made_costs(record))
    assert table["exit"].tolist() == [2, 3, 6]
    assert table["layer"].tolist() == [4, 6, 12]
    assert table["right"].tolist() == [0.6, 0.6, 0.6]
    assert table["first_right"].tolist() == [0.6, 0.2, 0.0]
    assert table["right_then_wrong"].tolist() == [0.2, 0.2, 0.0]


@settings(max_examples=40, deadline=None)
@given(records())
def test_overthinking_adds_up(record: ExitRecord) -> None:
    """Who is right first somewhere is whom an oracle gets right; the last exit overthinks nothing."""
    costs = made_costs(record)
    table = overthinking(record, costs)
    ever = operating_points(record, "oracle", costs)["accuracy"].max()
    assert table["first_right"].sum() == pytest.approx(ever)
    assert table["right_then_wrong"].iloc[-1] == 0
    assert (table["right"] >= table[["first_right", "right_then_wrong"]].max(axis=1)).all()
    static = operating_points(record, "static", costs)["accuracy"]
    assert table["right"].tolist() == static.tolist()


def test_numbers_are_neither_right_nor_wrong() -> None:
    record = drawn_record(classes=1)
    table = overthinking(record, made_costs(record))
    assert table.empty
    assert table.columns.tolist() == ["exit", "layer", "right", "first_right", "right_then_wrong"]
