"""The end of a private Ray whose raylet was killed before it had ended its own processes; a shell stands for it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from greenexp.tuning import ray_processes
from greenexp.tuning.ray_processes import no_process_left, raylet_processes


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs: one that nobody waits for, as in a container without an init process, has ended all the same."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_a_killed_raylet_leaves_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_processes, "_PATIENCE_S", 0.0)
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "raylet").symlink_to(shell)
    other = subprocess.Popen(["sleep", "600"])
    raylet = subprocess.Popen([tmp_path / "raylet", "-c", "sleep 600 & sleep 600"])
    try:
        deadline = time.monotonic() + 30
        while len(found := raylet_processes()) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(found) == 3
        with no_process_left():
            raylet.kill()
            raylet.wait()
            left = [process for process in found if process.is_running()]
            assert len(left) == 2
        assert not any(is_alive(process) for process in left)
        assert other.poll() is None, "what is not Ray's was ended, too"
    finally:
        other.kill()
        other.wait()
        raylet.kill()
        raylet.wait()


def test_without_a_raylet_nothing_is_ended() -> None:
    other = subprocess.Popen(["sleep", "600"])
    try:
        with no_process_left():
            pass
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
