"""Which folder is meant: a named one, the sweeps below it, or the newest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenexp.errors import InputError
from greenexp.sources.folders import newest_sweep, sweep_folder, sweeps_within


def a_sweep(folder: Path, written: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").touch()
    os.utime(folder / "journal.jsonl", (written, written))
    return folder


def test_the_newest_is_the_one_written_last(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no sweep"):
        newest_sweep(tmp_path / "out")
    old, new, older = (a_sweep(tmp_path / "out" / name, at) for name, at in (("b", 200), ("a", 300), ("c", 100)))
    assert newest_sweep(tmp_path / "out") == (new, (old, older))
    assert sweeps_within(tmp_path) == [new, old, older]


def test_a_folder_of_sweeps_is_no_sweep_and_lists_them(tmp_path: Path) -> None:
    one = a_sweep(tmp_path / "out" / "one", 1)
    assert sweep_folder(one) == one
    for parent in (tmp_path, tmp_path / "out"):
        with pytest.raises(InputError, match="not itself the folder of a sweep") as raised:
            sweep_folder(parent)
        assert str(one) in str(raised.value)
    with pytest.raises(InputError, match="there is no folder"):
        sweep_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sweep"):
        sweep_folder(tmp_path / "empty")
