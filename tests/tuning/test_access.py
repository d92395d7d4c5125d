"""Who may connect to the Ray of a sweep."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_ports import (
    METHODS,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
    can_connect,
    grpc_status,
    http_status,
    listening_ports,
)

from greenexp.errors import InputError
from greenexp.tuning import access

WRONG = "0" * 64
# Starts what a sweep starts, says where, and waits for the end of its input.
SESSION = """
import os, sys
from greenexp.tuning.cluster import ray_cluster
with ray_cluster(workers=1, cpus_per_trial=1, gpus_per_trial=0):
    import ray
    class Worker:
        def ready(self):
            return True
    worker = ray.remote(Worker).remote()
    assert ray.get(worker.ready.remote())
    print(ray.get_runtime_context().gcs_address, ray._private.worker._global_node.get_session_dir_path(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def session() -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """(process, address of its Ray, the folder of Ray's own files) of a private session with one busy worker."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SESSION],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        told = process.stdout.readline().split()
        log.seek(0)
        assert len(told) == 2, log.read()
        yield process, told[0], Path(told[1])
        process.communicate(timeout=60)
        assert process.returncode == 0


def token_of(process: subprocess.Popen[str]) -> str:
    """The session's token, from where its own user may read it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and os.getsid(int(entry.name)) == process.pid:
            variables = (entry / "environ").read_bytes().split(b"\0")
            found = [v.partition(b"=")[2].decode() for v in variables if v.startswith(b"RAY_AUTH_TOKEN=")]
            if found and (entry / "comm").read_text().strip() == "raylet":
                return found[0]
    raise AssertionError("no raylet")


@pytest.mark.cluster
def test_no_port_can_be_reached_from_another_address(session: Any) -> None:
    process, _, _ = session
    ports = listening_ports(process.pid)
    assert {"gcs_server", "raylet"} <= set(ports.values())
    for port, name in ports.items():
        assert can_connect("127.0.0.1", port), name
        assert not can_connect("127.0.0.2", port), name  # an address of this machine, and not the one listened at


@pytest.mark.cluster
def test_every_port_refuses_a_client_without_the_token_and_one_with_a_wrong_token(session: Any) -> None:
    process, _, _ = session
    right = token_of(process)
    for port, name in listening_ports(process.pid).items():
        answers = {token: {grpc_status(port, method, token) for method in METHODS} for token in (None, WRONG, right)}
        if answers[right] == {None}:
            assert [http_status(port, token) for token in (None, WRONG)] == [401, 403], name
            assert http_status(port, right) not in {401, 403}, name
            continue
        for token in (None, WRONG):
            assert answers[token] == {UNAUTHENTICATED, UNIMPLEMENTED}, (name, answers)
        assert UNAUTHENTICATED not in answers[right], (name, answers)
        assert answers[right] != {UNIMPLEMENTED}, (name, answers)


@pytest.mark.cluster
def test_the_token_is_written_nowhere_and_rays_files_are_the_users_own(session: Any) -> None:
    process, _, folder = session
    token = token_of(process).encode()
    assert len(token) == 64
    assert stat.S_IMODE(folder.parent.parent.stat().st_mode) == 0o700
    assert not [path for path in folder.rglob("*") if path.is_file() and token in path.read_bytes()]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            assert token not in (entry / "cmdline").read_bytes()


def test_the_environment_is_as_it_was_when_a_session_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with access.private_access():
        first = os.environ["RAY_AUTH_TOKEN"]
        assert os.environ["RAY_AUTH_MODE"] == "token"
    with access.private_access():
        assert os.environ["RAY_AUTH_TOKEN"] not in {first, "mine"}
    assert os.environ["RAY_AUTH_TOKEN"] == "mine"
    assert "RAY_AUTH_MODE" not in os.environ


def test_a_cluster_without_a_token_at_hand_is_refused_before_anything_connects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="--open-cluster"), access.cluster_access("10.0.0.1:6379", open_cluster=False):
        raise AssertionError
    with access.cluster_access("10.0.0.1:6379", open_cluster=True):
        assert os.environ["RAY_AUTH_MODE"] == "disabled"
