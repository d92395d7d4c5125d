"""Stored logits whose content fits their name and makes no sense cost what is replayed from them, and no more."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from greenexp.errors import StateError
from greenexp.records.at_rest import LogitsNames
from greenexp.replay import ExitCosts
from greenexp.replay.exit_tables import exit_tables
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.replay.standing import read_standing

COSTS = ExitCosts([2, 4], [3, 4], [[3, 4], [6, 8]], [[3, 4], [7, 9]])


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(2, 12, 2)), rng.integers(0, 2, 12)
    stored = StoredLogits.of(values, labels, rng.integers(3, 5, 12), [1, 2], COSTS, rng.random((2, 12)))
    return (tmp_path / f"{write_logits(tmp_path, stored)}.npz").read_bytes()


def put(folder: Path, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    (folder / f"{name}.npz").write_bytes(content)
    return name


def packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"no archive", b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    name = put(tmp_path, content)
    with pytest.raises(StateError, match=name):
        read_logits(tmp_path, name)


def test_bytes_changed_at_random_cost_the_tables_alone(tmp_path: Path, whole: bytes) -> None:
    draw, unread = random.Random(0), 0
    good = put(tmp_path, whole)
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(draw.choice([1, 3])):
            changed[draw.randrange(len(changed))] ^= draw.randrange(1, 256)
        name = put(tmp_path, bytes(changed[: draw.choice([len(changed), draw.randrange(len(changed))])]))
        names = draw.choice([LogitsNames(name, good), LogitsNames(good, name)])
        unread += bool(exit_tables(read_standing(tmp_path, names), ("max_probability",), "accuracy").unread)
    assert unread > 50


@pytest.mark.parametrize(
    ("array", "other"),
    [
        ("logits", np.zeros((2, 11, 2), np.float32)), ("logits", np.zeros((2, 12), np.float32)),
        ("logits", np.full((2, 12, 2), "x")), ("labels", np.full(12, np.nan)), ("labels", np.zeros(11, np.int64)),
        ("lengths", np.full(12, 7, np.int32)), ("exits", np.array([2, 1], np.int32)), ("exits", np.array([1, 1])),
        ("learned", np.zeros((1, 12), np.float32)), ("cost_layers", np.array([2, 4, 6])),
        ("cost_lengths", np.array([4, 3])), ("cost_static_flops", np.zeros((2, 3))), ("labels", None),
        ("cost_dynamic_flops", None),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_each_other(tmp_path: Path, whole: bytes, array: str, other: Any) -> None:
    arrays = dict(np.load(io.BytesIO(whole)))
    del arrays[array]
    name = put(tmp_path, packed(arrays if other is None else {**arrays, array: other}))
    with pytest.raises(StateError, match=name):
        read_logits(tmp_path, name)
    assert len(read_standing(tmp_path, LogitsNames(name)).problems) == 1
