"""What is on disk before a name appears, and who may read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenexp.durable import make_folder, move_whole, write_whole


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """`sync` with the inode that was put on disk, `rename` with that of the file renamed, in their order."""
    done: list[tuple[str, int]] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        done.append(("sync", os.fstat(descriptor).st_ino))
        sync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        done.append(("rename", path.stat().st_ino))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return done


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_content_is_on_disk_before_its_name_and_the_name_before_it_returns(
    tmp_path: Path, steps: list[tuple[str, int]]
) -> None:
    write_whole(tmp_path / "a", b"old")
    steps.clear()
    write_whole(tmp_path / "a", b"new")
    file, folder = (tmp_path / "a").stat().st_ino, tmp_path.stat().st_ino
    assert steps == [("sync", file), ("rename", file), ("sync", folder)]
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_several_files_are_all_on_disk_before_the_first_name(tmp_path: Path, steps: list[tuple[str, int]]) -> None:
    (tmp_path / "draft").mkdir()
    files = [tmp_path / "draft" / name for name in ("b", "a")]
    for file in files:
        file.touch(0o600)
    move_whole(files, tmp_path, 0o640)
    moved = [tmp_path / name for name in ("b", "a")]
    assert [kind for kind, _ in steps] == ["sync", "sync", "rename", "rename", "sync"]
    assert [inode for _, inode in steps] == [*(file.stat().st_ino for file in moved + moved), tmp_path.stat().st_ino]
    assert {stat.S_IMODE(file.stat().st_mode) for file in moved} == {0o640}


def test_the_name_of_every_new_folder_is_on_disk(tmp_path: Path, steps: list[tuple[str, int]]) -> None:
    make_folder(tmp_path / "a" / "b")
    assert steps == [("sync", tmp_path.stat().st_ino), ("sync", (tmp_path / "a").stat().st_ino)]
    make_folder(tmp_path / "a" / "b")
    assert len(steps) == 2


def test_a_file_is_as_readable_as_the_umask_says(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "a", b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]
