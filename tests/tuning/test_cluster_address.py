"""Which Ray a sweep is to use, by what the user and the environment name."""

from __future__ import annotations

import socket

import pytest

from greenexp.errors import InputError
from greenexp.tuning.cluster import on_cluster, ray_cluster


@pytest.mark.parametrize(
    ("address", "environment", "joins"),
    [
        (None, None, False),
        (None, "", False),
        (None, "local", False),
        (None, "auto", True),
        (None, "10.0.0.1:6379", True),
        ("10.0.0.1:6379", None, True),
        ("auto", "local", True),
        ("local", "10.0.0.1:6379", False),
    ],
)
def test_a_private_ray_or_a_cluster(
    monkeypatch: pytest.MonkeyPatch, address: str | None, environment: str | None, joins: bool
) -> None:
    if environment is None:
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
    else:
        monkeypatch.setenv("RAY_ADDRESS", environment)
    assert on_cluster(address) is joins


@pytest.mark.parametrize("found", ["nothing", "a head that has ended"])
def test_this_machines_cluster_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """Ray's own client tries for a minute, and writes of it to the terminal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def canonicalize(_: str) -> str:
        if found == "nothing":
            raise ConnectionError
        return f"127.0.0.1:{port}"

    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address", canonicalize)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with (
        pytest.raises(InputError, match="no Ray cluster"),
        ray_cluster(workers=1, cpus_per_trial=1, gpus_per_trial=0, open_cluster=True),
    ):
        raise AssertionError("joined")
