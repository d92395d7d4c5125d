"""The latency table: what it holds, what it refuses, and its way to disk and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import InputError, StateError
from greenexp.replay.latency import LatencyTable, read_latency, write_latency


def a_table(**changed: Any) -> LatencyTable:
    fields: dict[str, Any] = {
        "device": "a CPU",
        "threads": 2,
        "precision": "fp32",
        "exits": [1, 3],
        "lengths": [8, 16, 32],
        "seconds": [[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]],
    }
    return LatencyTable(**(fields | changed))


def test_between_measured_lengths_it_is_linear_and_at_them_exact() -> None:
    at = a_table().at([8, 12, 16, 24, 32])
    np.testing.assert_array_equal(at, [[1.0, 1.5, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 7.0, 9.0]])


def test_the_exits_asked_for_in_the_order_asked() -> None:
    np.testing.assert_array_equal(a_table().at([16], exits=[3]), [[5.0]])
    np.testing.assert_array_equal(a_table().at([16], exits=[3, 1]), [[5.0], [2.0]])


@pytest.mark.parametrize("length", [0, 7, 33])
def test_nothing_is_extrapolated(length: int) -> None:
    with pytest.raises(InputError, match=f"length {length}.*8 to 32"):
        a_table().at([16, length])


def test_an_exit_that_was_not_measured_is_named() -> None:
    with pytest.raises(InputError, match=r"exit 2.*\[1, 3\]"):
        a_table().at([16], exits=[1, 2])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exits": [3, 1]}, r"exits.*received \[3, 1\]"),
        ({"exits": [0, 1]}, "exits"),
        ({"exits": []}, "exits"),
        ({"lengths": [8, 8, 32]}, "lengths"),
        ({"lengths": [8.5, 16, 32]}, "lengths"),
        ({"seconds": [[1.0, 2.0, 4.0]]}, r"2 exits.*3 lengths.*\(1, 3\)"),
        ({"seconds": [[1.0, 2.0, 4.0], [3.0, float("nan"), 9.0]]}, "received nan"),
        ({"seconds": [[1.0, 2.0, 4.0], [3.0, 0.0, 9.0]]}, "received 0.0"),
        ({"seconds": [[1.0, 2.0, 4.0], [3.0, float("inf"), 9.0]]}, "received inf"),
    ],
)
def test_contradictions_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        a_table(**changed)


@given(st.data())
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    rising = st.lists(st.integers(1, 512), min_size=1, max_size=4, unique=True).map(sorted)
    exits, lengths = data.draw(rising), data.draw(rising)
    count = len(exits) * len(lengths)
    times = data.draw(st.lists(st.floats(1e-9, 1e3), min_size=count, max_size=count))
    written = a_table(exits=exits, lengths=lengths, seconds=np.reshape(times, (len(exits), len(lengths))))
    path = tmp_path_factory.mktemp("latency") / "t.json"
    write_latency(path, written)
    found = read_latency(path)
    assert (found.device, found.threads, found.precision) == ("a CPU", 2, "fp32")
    for name in ("exits", "lengths", "seconds"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))


def test_nothing_but_the_table_is_left_and_others_may_read_it(tmp_path: Path) -> None:
    write_latency(tmp_path / "t.json", a_table())
    write_latency(tmp_path / "t.json", a_table(threads=1))
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]
    assert (tmp_path / "t.json").stat().st_mode & 0o777 == 0o644
    assert read_latency(tmp_path / "t.json").threads == 1


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="No such file"):
        write_latency(tmp_path / "absent" / "t.json", a_table())
    with pytest.raises(StateError, match="No such file"):
        read_latency(tmp_path / "t.json")


def test_every_half_written_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    write_latency(path, a_table())
    whole = path.read_text()
    for end in range(0, len(whole.rstrip()), 7):
        path.write_text(whole[:end])
        with pytest.raises(StateError, match="damaged or half-written"):
            read_latency(path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": 2}, "format 2.*1"),
        ({"format": None}, "has format None"),
        ({"threads": "two"}, "threads is 'two'"),
        ({"threads": True}, "threads is True"),
        ({"exits": [1, 2, 3]}, "3 exits"),
        ({"lengths": [[8], [16]]}, "is damaged"),
        ({"lengths": ["8", "16", "32"]}, "is damaged"),
        ({"seconds": [[1.0, 2.0], [3.0, 5.0, 9.0]]}, "is damaged"),
        ({"seconds": [[1.0, 2.0, None], [3.0, 5.0, 9.0]]}, "is damaged"),
        ({"seconds": "fast"}, "is damaged"),
        ({"seconds": [[1.0, 2.0, float("nan")], [3.0, 5.0, 9.0]]}, "NaN"),
    ],
)
def test_damage_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    path = tmp_path / "t.json"
    write_latency(path, a_table())
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(StateError, match=said):
        read_latency(path)


@pytest.mark.parametrize("name", ["device", "threads", "precision", "exits", "lengths", "seconds"])
def test_a_missing_part_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.json"
    write_latency(path, a_table())
    content = json.loads(path.read_text())
    del content[name]
    path.write_text(json.dumps(content))
    with pytest.raises(StateError, match=f"lacks {name}"):
        read_latency(path)


@pytest.mark.parametrize(("text", "said"), [("[1]", "has format 'list'"), ("[" * 100_000, "t.json is damaged")])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(StateError, match=said):
        read_latency(path)
