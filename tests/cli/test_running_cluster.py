"""A sweep on a Ray cluster that is already running, whose node has a cache of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sweeps_for_tests import TINY, count, environment, events, wait_for, write_sweep

from greenexp.assets import find
from greenexp.journal.tables import read_tables

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
OPEN = {"RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def cluster() -> Iterator[tuple[str, Path]]:
    """(address, cache folder of its node) of a head node on this machine with two CPUs, and with a token."""
    with head_node(TOKEN) as found:
        yield found


@contextlib.contextmanager
def head_node(access: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="rc"))  # short: Ray's socket paths must fit into 107 characters
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {**environment(), **access, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}", "--num-cpus=2",
        "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}/ray",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        head = subprocess.Popen(command, env=settings, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(head, lambda: b"Ray runtime started" in (folder / "log").read_bytes(), timeout_s=90)
        yield f"127.0.0.1:{port}", folder / "cache"
    finally:
        kill_session(head.pid)
        head.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def kill_session(leader: int) -> None:
    """All processes of a session: Ray's own way of stopping would stop every Ray on the machine."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    os.kill(int(entry.name), signal.SIGKILL)


def run_there(address: str, *arguments: object, access: Mapping[str, str] = TOKEN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "greenexp", "run", *map(str, arguments), "--address", address]
    settings = {**environment(), **access}
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=240, check=False)


def test_a_sweep_joins_the_cluster_and_leaves_it_running(cluster: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = cluster
    text = TINY.replace("samples: 4", "samples: 2").replace("sha, reduction_factor: 2", "fifo")
    sweep = write_sweep(tmp_path, text.replace("epochs: 4", "epochs: 2"))
    out = tmp_path / "out"
    done = run_there(address, sweep, "--out", out)
    assert done.returncode == 0, done.stderr
    assert set(read_tables(out).trials["status"]) == {"finished"}
    assert count(out, "held_out") == 2
    assert len(list((out / "logs").iterdir())) == 4
    impossible = run_there(address, sweep, "--out", tmp_path / "second", "--set", "resources.cpus_per_trial=64")
    assert impossible.returncode == 2, "the cluster is still there, and says what it has"
    assert "64 CPU" in impossible.stderr


def test_an_open_cluster_is_joined_only_where_the_user_says_so(tmp_path: Path) -> None:
    text = TINY.replace("samples: 4", "samples: 1").replace("initialisation: 2", "initialisation: 1")
    sweep = write_sweep(tmp_path, text.replace("epochs: 4", "epochs: 1").replace("sha, reduction_factor: 2", "fifo"))
    with head_node(OPEN) as (address, _):
        nobody = {"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": ""}
        without = run_there(address, sweep, "--out", tmp_path / "out", access=nobody)
        assert (without.returncode, events(tmp_path / "out")[-1]["kind"]) == (2, "trial")
        assert "--open-cluster" in without.stderr
        useless = run_there(address, sweep, "--out", tmp_path / "out", "--resume")
        assert (useless.returncode, count(tmp_path / "out", "session")) == (2, 0)
        assert "--open-cluster" in useless.stderr
        joined = run_there(address, sweep, "--out", tmp_path / "out", "--resume", "--open-cluster", access=nobody)
        assert joined.returncode == 0, joined.stderr
        assert "open cluster" in joined.stderr
        assert count(tmp_path / "out", "report") == 1


def test_a_node_without_the_weights_gets_them_from_the_driver(cluster: tuple[str, Path], tmp_path: Path) -> None:
    address, cache = cluster
    for name in ("minilm-l6", "hutto-movie-snippets"):
        if find(name) is None:
            pytest.skip(f"asset {name} has not been fetched on this machine")
    small = ["task.train=32", "task.dev=32", "search.samples=1", "training.epochs=1", "scheduler.name=fifo"]
    sweep = tmp_path / "small.yaml"
    sweep.write_text(
        "name: small\ntask: {name: movie-snippets}\nbackbone: {name: bert, source: minilm-l6, layers: 2}\n"
        "training: {max_length: 32}\nspace: {training.learning_rate: {dist: loguniform, low: 1e-5, high: 1e-4}}\n"
        "search: {name: random, samples: 1}\n",
        encoding="utf-8",
    )
    overrides = [part for value in small for part in ("--set", value)]
    done = run_there(address, sweep, "--out", tmp_path / "out", *overrides)
    assert done.returncode == 0, done.stderr
    assert [event["kind"] for event in events(tmp_path / "out")].count("report") == 1
    installed = [path.name for path in cache.rglob("model.safetensors")]
    assert installed == ["model.safetensors"], "the node should have the weights now, and only those"
