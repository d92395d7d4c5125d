"""NVIDIA's multi-process service (MPS) around a session: trials that share a GPU reach it through one server.

The control program starts a server when the first worker opens CUDA, and `quit` ends both. See NVIDIA's documentation
"Multi-Process Service". It was never run on a GPU here: the tests put a program of their own in its place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from greenexp.errors import FieldError
from greenexp.meters.nvml import visible_gpus
from greenexp.tuning.cluster import on_cluster

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
_FIELD = "resources.mps"
_START_S, _QUIT_S = 30.0, 30.0
"""How long the control program may take to go into the background, and to end its server."""


@contextmanager
def mps_service(*, wanted: bool, address: str | None = None) -> Iterator[Mapping[str, str]]:
    """The control program, from here to the end of the block, whatever ends it; yields the environment of its clients.

    Nothing is started, and the environment is empty, unless it is `wanted`. This process' own environment stays as it
    is, so that it is no client. address: of the Ray cluster that the sweep joins, as of `ray_cluster`.
    Raises FieldError where the sweep joins a cluster, on slices of a GPU, and where the program is absent or fails.
    """
    if not wanted:
        yield {}
        return
    control = _control(address)
    folder = tempfile.mkdtemp(prefix="gx-")  # only its owner enters it; short, as sockets lie in it
    clients = {PIPES: f"{folder}/pipe", LOGS: f"{folder}/log"}
    try:
        for path in clients.values():
            Path(path).mkdir(0o700)
        # Ray tells each worker its GPUs by their numbers on this machine: the server must count them in the same way.
        own = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | clients
        try:
            _start(control, own)
            yield clients
        finally:
            _quit(control, own)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end_service(clients: Mapping[str, str]) -> None:
    """End the control program of these clients where the block of `mps_service` cannot, as the process is ended."""
    control = shutil.which(CONTROL)
    if clients and control is not None:
        _quit(control, {**os.environ, **clients})
        shutil.rmtree(Path(clients[PIPES]).parent, ignore_errors=True)


def _control(address: str | None) -> str:
    """The control program's path. FieldError where MPS cannot be offered."""
    if on_cluster(address):
        raise FieldError(_FIELD, "on a cluster MPS is started on each node by its administrator: leave this out")
    if any(gpu.startswith("MIG-") for gpu in visible_gpus()):
        raise FieldError(_FIELD, "CUDA_VISIBLE_DEVICES lists slices of a GPU (MIG): leave this out, or list whole GPUs")
    control = shutil.which(CONTROL)
    if control is None:
        raise FieldError(
            _FIELD, f"{CONTROL} is not on the PATH: it comes with NVIDIA's driver; install it, or leave this out"
        )
    return control


def _start(control: str, environment: Mapping[str, str]) -> None:
    """Start the control program in the background, out of the reach of the terminal's Ctrl-C."""
    try:
        started = subprocess.run(
            [control, "-d"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a pipe would be kept open by what goes into the background
            start_new_session=True,
            timeout=_START_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FieldError(_FIELD, f"cannot start {control}: {error}") from error
    if started.returncode != 0:
        raise FieldError(_FIELD, f"{control} -d ended with code {started.returncode}{_said(environment[LOGS])}")


def _said(logs: str) -> str:
    """The last line of the control program's log, where it wrote one."""
    try:
        lines = Path(logs, "control.log").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:300]}" if last else ""


def _quit(control: str, environment: Mapping[str, str]) -> None:
    """Ask the control program to end, with its server; it may be gone already."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [control],
            env=environment,
            input="quit\n",
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=_QUIT_S,
            check=False,
        )
