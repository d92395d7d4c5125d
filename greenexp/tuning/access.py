"""Who may connect to Ray. Whoever does runs code as the user, so nobody may without a token.

A private session makes a random token for itself and listens on the loopback interface alone. A cluster is joined with
the cluster's own token; one that lets everybody in is joined only where the user says so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module

from greenexp.errors import InputError

_MODE, _TOKEN, _TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
# Ray reads it as "this node may be reached from others"; 0 makes each of its processes listen on 127.0.0.1. Naming
# 127.0.0.1 as the node's address does not: Ray replaces it by the address of the network interface.
_REACHABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_CONNECT_S, _PROBE_S = 5.0, 20.0
# Asks for one internal key without a token; ends with 0 if the cluster answers.
_PROBE = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1]).internal_kv_keys(b'', b'')"


@contextlib.contextmanager
def private_access() -> Iterator[None]:
    """The environment of a private Ray: a token of its own, in this process and its children and nowhere else.

    The environment of a process can be read by its own user alone. On leaving, everything is as it was.
    """
    with _environment({_MODE: "token", _TOKEN: secrets.token_hex(32), _TOKEN_FILE: None, _REACHABLE: "0"}):
        _let_ray_read_again()  # imports it: a Ray without tokens must not be started
        yield


@contextlib.contextmanager
def cluster_access(address: str, *, open_cluster: bool) -> Iterator[None]:
    """The environment in which the cluster at `address` is joined.

    The token is Ray's own: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token. Raises InputError if there is
    none and the user has not said that the cluster is open.
    """
    changes: dict[str, str | None] = {_REACHABLE: None}
    if not open_cluster:
        changes[_MODE] = "token"
    elif _MODE not in os.environ:
        changes[_MODE] = "disabled"
    with _environment(changes):
        if not open_cluster and not _has_token():
            raise InputError(
                f"the Ray cluster at {address} is joined with its token, and there is none: set {_TOKEN} or "
                f"{_TOKEN_FILE}, or give --open-cluster if the cluster has no token and everybody who can reach it may "
                "run code on it"
            )
        yield


class AnswerWithoutToken(Enum):
    """What a Ray cluster does with a client that has no token."""

    LETS_IN = "lets in"
    REFUSES = "refuses"
    NONE = "does not answer"


def answer_of(gcs_address: str) -> AnswerWithoutToken:
    """Ask a cluster without a token. Raises InputError where nothing listens at the address.

    Asked from another process: the token of this one cannot be taken back. And with a limit on time: Ray's own clients
    try for minutes, and write of it to the terminal.
    """
    host, _, port = gcs_address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"'{gcs_address}' is no address of a Ray cluster: give host and port, such as 10.0.0.1:6379")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S):
            pass
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"no Ray cluster at {gcs_address}: {reason}") from error
    settings = {name: value for name, value in os.environ.items() if name not in {_TOKEN, _TOKEN_FILE}}
    command = [sys.executable, "-c", _PROBE, gcs_address]
    try:
        probe = subprocess.run(
            command, env={**settings, _MODE: "disabled"}, capture_output=True, timeout=_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return AnswerWithoutToken.NONE
    return AnswerWithoutToken.LETS_IN if probe.returncode == 0 else AnswerWithoutToken.REFUSES


def refuse_open_cluster(gcs_address: str, answer: AnswerWithoutToken) -> None:
    """InputError if the cluster lets in clients that have no token: one that it does not ask for keeps nobody out."""
    if answer is AnswerWithoutToken.LETS_IN:
        raise InputError(
            f"the Ray cluster at {gcs_address} lets in clients without a token, so everybody who can reach it may run "
            "code on it. Start its nodes with RAY_AUTH_MODE=token, or give --open-cluster to join it as it is"
        )


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """`os.environ` with `changes` (None: not set) for the while, also where Ray has read it before."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "ray" in sys.modules:
        _let_ray_read_again()


def _let_ray_read_again() -> None:
    """Ray keeps the mode, the token and whether nodes can be reached from when it was imported or first started."""
    try:
        ray_constants, raylet = import_module("ray._private.ray_constants"), import_module("ray._raylet")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
    except (ImportError, AttributeError) as error:
        raise InputError(f"this Ray cannot keep others out ({error}): install ray[tune] 2.52 or later") from error
    raylet.Config.initialize("")
    reachable = os.environ.get(_REACHABLE, "1" if sys.platform == "linux" else "0") != "0"
    vars(ray_constants)["ENABLE_RAY_CLUSTER"] = reachable


def _has_token() -> bool:
    return bool(import_module("ray._raylet").AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True))
