"""A saved model is on disk before it is named, as readable as other files, and damage to it is found."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from greenexp.errors import CheckpointError
from greenexp.model import build_model, save_model
from greenexp.model.files import verify_model
from greenexp.records.settings import ModelSettings

SETTINGS = {"backbone": {"name": "bert", "layers": 1, "hidden": 8, "heads": 2, "max_positions": 8}, "exits": {}}


def save(folder: Path) -> None:
    save_model(build_model(ModelSettings.from_json(SETTINGS), 2, vocab_size=9, pad_id=0, seed=0), folder)


def test_every_file_and_every_folder_of_a_model_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.add(os.fstat(number).st_ino), sync(number)))
    save(tmp_path / "models" / "c000")
    kept = [*(tmp_path / "models" / "c000").iterdir(), tmp_path / "models" / "c000", tmp_path / "models", tmp_path]
    assert len(kept) == 7
    assert {path.stat().st_ino for path in kept} <= synced


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_all_files_of_a_model_are_as_readable_as_the_umask_says(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        save(tmp_path / "model")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "model").iterdir()} == {0o666 & ~mask}


@pytest.mark.parametrize("name", ["model.safetensors", "exits.safetensors", "config.json", "greenexp.json"])
@pytest.mark.parametrize("size", [0, 20, None])
def test_a_file_that_is_cut_short_or_gone_is_named(tmp_path: Path, name: str, size: int | None) -> None:
    save(tmp_path)
    verify_model(tmp_path)
    if size is None:
        (tmp_path / name).unlink()
    else:
        os.truncate(tmp_path / name, size)
    with pytest.raises(CheckpointError, match=name):
        verify_model(tmp_path)
