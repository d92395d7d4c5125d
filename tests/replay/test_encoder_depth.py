"""Speed-up is layers of the encoder / mean layers used, also where the exit on the last layer was not trained."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.replay import ExitCosts, ExitRecord, exit_profiles, operating_points
from greenexp.replay.exit_tables import exit_tables
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.replay.standing import StandingLogits

DEPTH = 15
"""The last trained exit sits on layer 12."""


def deep(record: ExitRecord) -> ExitCosts:
    return dataclasses.replace(made_costs(record), encoder_layers=DEPTH)


def stored(costs: ExitCosts | None, seed: int = 0) -> StoredLogits:
    record = drawn_record(examples=60, seed=seed)
    return StoredLogits.of(record.logits, record.labels, record.lengths, record.numbers, costs)


@pytest.mark.parametrize("policy", ["static", "max_probability", "entropy", "patience", "oracle"])
def test_speed_ups_are_counted_from_the_whole_encoder(policy: str) -> None:
    record = drawn_record(examples=60)
    points = operating_points(record, policy, deep(record))
    assert points["speed_up"].to_numpy() == pytest.approx(DEPTH / points["mean_layers"].to_numpy(), rel=1e-15)
    assert points["speed_up"].min() >= DEPTH / 12 > 1
    before = operating_points(record, policy, made_costs(record))
    same = [column for column in points if column != "speed_up"]
    assert points[same].equals(before[same]), "nothing but the speed-up depends on the depth"
    profiles = exit_profiles(record, policy, deep(record))
    assert set(profiles["speed_up"]) <= set(points["speed_up"])


def test_the_depth_is_stored_with_the_logits(tmp_path: Path) -> None:
    record = drawn_record(examples=60)
    found = read_logits(tmp_path, write_logits(tmp_path, stored(deep(record)))).costs
    assert found is not None
    assert (found.encoder_layers, found.depth) == (DEPTH, DEPTH)
    assert isinstance(found.encoder_layers, int)


def test_logits_of_an_earlier_version_count_from_the_last_trained_exit(tmp_path: Path) -> None:
    """Such a file has the same arrays and no other, so its hash is still its name."""
    record = drawn_record(examples=60)
    name = write_logits(tmp_path, stored(deep(record)))
    with np.load(tmp_path / f"{name}.npz") as file:
        arrays = {array: file[array] for array in file if array != "cost_encoder_layers"}
        assert len(arrays) == len(file.files) - 1
    np.savez(tmp_path / "old.npz", **arrays)
    old = hashlib.sha256((tmp_path / "old.npz").read_bytes()).hexdigest()
    (tmp_path / "old.npz").rename(tmp_path / f"{old}.npz")
    found = read_logits(tmp_path, old).costs
    assert found is not None
    assert (found.encoder_layers, found.depth) == (None, 12)
    assert operating_points(record, "static", found)["speed_up"].min() == 1


def test_test_logits_without_costs_take_the_depth_of_dev() -> None:
    record = drawn_record(examples=60)
    tables = exit_tables(StandingLogits(stored(deep(record)), stored(None, seed=1)), ["patience"], "accuracy").tables
    rows = tables["thresholds_on_test"]
    at_last = rows[(rows["policy"] == "static") & (rows["threshold"] == 6)]
    assert set(at_last["dev_speed_up"]) | set(at_last["test_speed_up"]) <= {DEPTH / 12}


def test_costs_of_some_exits_keep_the_depth() -> None:
    record = drawn_record(examples=60)
    some = dataclasses.replace(made_costs(record, latency=True), encoder_layers=DEPTH).only([0, 2])
    assert (some.layers.tolist(), some.depth) == ([2, 6], DEPTH)
    assert some.latency_s is not None
    assert some.latency_s.shape == some.static_flops.shape == some.dynamic_flops.shape == (2, len(some.lengths))


def test_an_encoder_is_no_shallower_than_its_exits() -> None:
    with pytest.raises(InputError, match="11 layers"):
        dataclasses.replace(made_costs(drawn_record(examples=9)), encoder_layers=11)
