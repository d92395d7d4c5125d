"""Latency beside the stored logits: there and back, and old files have none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from priced_records import drawn_record, made_costs

from greenexp.errors import StateError
from greenexp.replay.logits import StoredLogits, read_logits, write_logits


def stored(latency: bool) -> StoredLogits:
    record = drawn_record(examples=20)
    return StoredLogits.of(
        record.logits, record.labels, record.lengths, record.numbers, made_costs(record, latency=latency)
    )


def test_latency_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = stored(latency=True)
    costs = read_logits(tmp_path, write_logits(tmp_path, written)).costs
    assert written.costs is not None
    assert costs is not None
    assert np.array_equal(costs.latency_s, written.costs.latency_s)
    assert np.array_equal(costs.dynamic_flops, written.costs.dynamic_flops)


def test_a_file_from_before_there_was_latency_is_read(tmp_path: Path) -> None:
    """Such a file has the same arrays and no other, so its hash is still its name."""
    name = write_logits(tmp_path, stored(latency=False))
    with np.load(tmp_path / f"{name}.npz") as file:
        assert "cost_dynamic_flops" in file
        assert not [array for array in file if "latency" in array]
    costs = read_logits(tmp_path, name).costs
    assert costs is not None
    assert costs.latency_s is None


def test_a_file_with_latency_and_no_other_costs_is_not_understood(tmp_path: Path) -> None:
    written = stored(latency=True)
    assert written.costs is not None
    path = tmp_path / "made.npz"
    np.savez(
        path, logits=written.logits, labels=written.labels, lengths=written.lengths, exits=written.exits,
        cost_latency_s=np.asarray(written.costs.latency_s),
    )  # fmt: skip
    name = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(tmp_path / f"{name}.npz")
    with pytest.raises(StateError, match="cannot be understood"):
        read_logits(tmp_path, name)
