"""What was replayed is kept beside the logits, and nobody can tell from the result."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from greenexp.records.at_rest import FOLDER as LOGITS
from greenexp.records.at_rest import LogitsNames
from greenexp.records.exit_tables import ExitTables
from greenexp.replay import ExitCosts, kept
from greenexp.replay.logits import StoredLogits, write_logits

COSTS = ExitCosts([2, 4], [3, 4], [[3, 4], [6, 8]], [[3, 4], [7, 9]], encoder_layers=4)
POLICIES = ({"name": "max_probability"}, "patience", "oracle")


def stored(folder: Path, seed: int, classes: int = 2, costs: ExitCosts | None = COSTS) -> str:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 40) if classes > 1 else rng.normal(size=40)
    values = rng.normal(size=(2, 40, classes)) + np.arange(2)[:, None, None]
    return write_logits(folder / LOGITS, StoredLogits.of(values, labels, rng.integers(3, 5, 40), [1, 2], costs))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    folder.mkdir()
    return folder


@pytest.fixture
def names(folder: Path) -> LogitsNames:
    return LogitsNames(stored(folder, 0), stored(folder, 1))


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one whenever something is really replayed."""
    done: list[str] = []
    work: Callable[..., ExitTables] = kept.exit_tables

    def counted(standing: Any, policies: Any, metric: str) -> ExitTables:
        done.append(metric)
        return work(standing, policies, metric)

    monkeypatch.setattr(kept, "exit_tables", counted)
    return done


def kept_files(folder: Path) -> list[Path]:
    return sorted((folder / kept.FOLDER).glob(f"*{kept.SUFFIX}"))


def assert_same(one: ExitTables, other: ExitTables) -> None:
    pd.testing.assert_frame_equal(one.points, other.points)
    assert list(one.tables) == list(other.tables)
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, other.tables[name])
    assert (one.remarks, one.unread) == (other.remarks, other.unread)
    for ours, theirs in ((one.answers, other.answers), (one.answers_on_test, other.answers_on_test)):
        assert (ours is None) == (theirs is None)
        for field in dataclasses.fields(ours) if ours is not None else ():
            a, b = getattr(ours, field.name), getattr(theirs, field.name)
            assert (a is None and b is None) or (a.dtype == b.dtype and np.array_equal(a, b))


@pytest.mark.parametrize(
    ("classes", "metric", "costs"),
    [(2, "accuracy", COSTS), (2, "loss", COSTS), (1, "pearson", COSTS), (2, "accuracy", None)],
)
def test_what_is_read_is_what_was_worked_out(
    folder: Path, replays: list[str], classes: int, metric: str, costs: ExitCosts | None
) -> None:
    names = LogitsNames(*(stored(folder, seed, classes, costs) for seed in range(2)))
    first = kept.replayed(folder, names, POLICIES, metric)
    assert_same(first, kept.replayed(folder, names, POLICIES, metric))
    assert replays == [metric]


def test_other_policies_metrics_logits_or_code_are_replayed(
    folder: Path, names: LogitsNames, replays: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.replayed(folder, names, POLICIES, "accuracy")
    kept.replayed(folder, names, POLICIES[:2], "accuracy")
    kept.replayed(folder, names, POLICIES, "f1")
    kept.replayed(folder, LogitsNames(names.dev), POLICIES, "accuracy")
    monkeypatch.setattr(kept, "_code", lambda: "another version")
    kept.replayed(folder, names, POLICIES, "accuracy")
    assert len(replays) == len(kept_files(folder)) == 5


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-9], lambda c: c[:50] + b"x" + c[51:], lambda c: c * 2])
def test_a_damaged_file_is_ignored_and_made_anew(
    folder: Path, names: LogitsNames, replays: list[str], damage: Callable[[bytes], bytes]
) -> None:
    first = kept.replayed(folder, names, POLICIES, "accuracy")
    (file,) = kept_files(folder)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert kept.read_kept(file) is None
    assert_same(first, kept.replayed(folder, names, POLICIES, "accuracy"))
    assert len(replays) == 2
    found = kept.read_kept(file)
    assert found is not None
    assert_same(found, first)


def test_logits_that_are_gone_or_damaged_are_told_though_their_replay_is_there(
    folder: Path, names: LogitsNames
) -> None:
    kept.replayed(folder, names, POLICIES, "accuracy")
    path = folder / LOGITS / f"{names.dev}.npz"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert kept.replayed(folder, names, POLICIES, "accuracy").unread
    path.unlink()
    assert kept.replayed(folder, names, POLICIES, "accuracy").unread
    assert len(kept_files(folder)) == 1, "what could not be read is not kept"


def test_a_copy_does_not_touch_the_original(folder: Path, names: LogitsNames, tmp_path: Path) -> None:
    linked, copied = tmp_path / "linked", tmp_path / "copied"
    (folder / kept.FOLDER).mkdir()
    shutil.copytree(folder, copied)
    linked.mkdir()
    for name in (LOGITS, kept.FOLDER):
        (linked / name).symlink_to(folder / name)
    for copy in (copied, linked):
        assert len(kept.replayed(copy, names, POLICIES, "accuracy").points)
    assert kept_files(copied)
    assert not kept_files(folder)


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(
    folder: Path, names: LogitsNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(kept, "write_whole", refuse)
    assert len(kept.replayed(folder, names, POLICIES, "accuracy").points)
    (folder / kept.FOLDER).rmdir()
    (folder / kept.FOLDER).write_bytes(b"a file")
    assert len(kept.replayed(folder, names, POLICIES, "accuracy").points)


def test_results_of_policies_that_are_not_ours_are_not_kept(folder: Path, names: LogitsNames) -> None:
    found = kept.replayed(folder, names, (*POLICIES, "of_nobody"), "accuracy")
    assert any("of_nobody" in remark for remark in found.remarks)
    assert not kept_files(folder)
