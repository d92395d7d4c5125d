"""Counting what a foreign `model.py` computes: it is code, so it runs elsewhere, with limits, and only if trusted.

Elsewhere is a process of its own, in an empty folder, with no variables of ours, and where Linux lets us make one in
namespaces of its own: without a network, and with every process it starts ended with it. It can still read what its
user can read, and it can lie about what it counted: the counts are set beside prices from shapes alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from greenexp.errors import InputError
from greenexp.meters.module_macs import ModuleMacs
from greenexp.records.module_calls import ModuleCall

_CHILD = Path(__file__).with_name("counted.py")
_ALONE = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")
MOST_WRITTEN_B, MOST_FILES = 2**26, 256
"""Bytes of a file that the process writes, its answer and its stderr among them; files it has open."""
LAST_SAID_B, MOST_TOLD = 2**16, 300
"""Bytes from the end of its stderr that are read; characters of what it says that are told."""
MOST_COUNTED = 2**100
"""Of a count: far above any model's, and within what a float holds after sums over a file's rows."""


@dataclass(frozen=True, slots=True)
class TrustLimits:
    """wall_s: seconds until it is ended, twice those of its CPU time; memory_b: address space."""

    wall_s: float = 300.0
    memory_b: int = 8 * 2**30

    def __post_init__(self) -> None:
        if not 1 <= self.wall_s <= 86_400 or self.memory_b < 2**28:
            raise InputError("limits of a trusted model.py: 1 s to a day, and at least 256 MiB of memory")


@dataclass(frozen=True, slots=True)
class CountedModel:
    """What the process answered.

    macs: call -> multiply-adds; problems: call -> why it could not be counted; parameters: of `entire_model`
    without_network: whether the process had none
    """

    macs: dict[ModuleCall, ModuleMacs] = field(default_factory=dict)
    problems: dict[ModuleCall, str] = field(default_factory=dict)
    parameters: int = 0
    without_network: bool = False


def count_model(file: Path, calls: Sequence[ModuleCall], limits: TrustLimits | None = None) -> CountedModel:
    """Run `file` and count each call. InputError if it cannot be run, ends without an answer, or meets a limit."""
    limits, calls = limits or TrustLimits(), sorted(set(calls))
    if not file.is_file():
        raise InputError(f"there is no file {file}: a submission of type 2 has the code of its modules beside its rows")
    alone = _can_be_alone()
    request = {
        "file": str(file.resolve()),
        "calls": [[call.name, list(call.shape)] for call in calls],
        "limits": {
            "RLIMIT_AS": limits.memory_b,
            "RLIMIT_CPU": int(2 * limits.wall_s),
            "RLIMIT_FSIZE": MOST_WRITTEN_B,
            "RLIMIT_NOFILE": MOST_FILES,
            "RLIMIT_CORE": 0,
        },
    }
    answer = _answer(file, json.dumps(request), limits, alone=alone)
    if "problem" in answer:
        raise InputError(f"{file}: {_told(answer['problem'])}")
    counted = CountedModel(parameters=_whole(file, answer.get("parameters")), without_network=alone)
    told = answer.get("macs")
    if not isinstance(told, list) or len(told) != len(calls) or not all(isinstance(one, dict) for one in told):
        raise InputError(f"{file}: its process answered with something else than counts")
    for call, one in zip(calls, told, strict=True):
        if "problem" in one:
            counted.problems[call] = _told(one["problem"])
        else:
            counted.macs[call] = ModuleMacs(_whole(file, one.get("products")), _whole(file, one.get("counter")))
    return counted


def _whole(file: Path, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_COUNTED:
        raise InputError(f"{file}: its process answered with {_told(value)} where a count was expected")
    return value


def _told(value: Any) -> str:
    """What the process says, short, and as text that can be printed."""
    return str(value)[:MOST_TOLD].encode("utf-8", "replace").decode("utf-8")


def _can_be_alone() -> bool:
    """Whether this machine lets us start a process in namespaces of its own."""
    if shutil.which(_ALONE[0]) is None:
        return False
    tried = subprocess.run([*_ALONE, "true"], capture_output=True, timeout=30, check=False)
    return tried.returncode == 0


def _answer(file: Path, request: str, limits: TrustLimits, *, alone: bool) -> dict[str, Any]:
    """What the process wrote. It is ended with all it started when the time is over."""
    # Files and no pipes: nobody reads them while the process runs, a full pipe would hold it for ever, and its limits
    # hold for files, while what comes out of a pipe would fill our memory.
    with (
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as stderr,
        tempfile.TemporaryDirectory(prefix="greenexp-elue-") as folder,
    ):
        command = [*(_ALONE if alone else ()), sys.executable, "-I", str(_CHILD), str(answer.fileno())]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr, text=True,
            pass_fds=(answer.fileno(),), cwd=folder, env=_environment(folder), start_new_session=True,
        ) as process:  # fmt: skip
            try:
                process.communicate(request, timeout=limits.wall_s)
            except subprocess.TimeoutExpired:
                raise InputError(f"{file}: not counted after {limits.wall_s:g} s, the limit; --time-limit") from None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what it left behind, too
        raw, said = _end_of(answer, MOST_WRITTEN_B), _end_of(stderr, LAST_SAID_B).decode("utf-8", "replace")
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "no word")
        raise InputError(
            f"{file}: its process ended with code {process.returncode} and no counts ({last.strip()[:200]}); it may "
            f"have met the limit of {limits.memory_b / 2**30:g} GiB (--memory-limit)"
        )
    return told


def _end_of(file: IO[bytes], most_b: int) -> bytes:
    """Its last bytes."""
    size_b = file.seek(0, os.SEEK_END)
    file.seek(max(0, size_b - most_b))
    return file.read(min(size_b, most_b))


def _environment(folder: str) -> dict[str, str]:
    """Nothing of ours but where programs are: no tokens, no addresses; the library looks for nothing on the hub."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "LANG") if name in os.environ}
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": folder}
    return {**kept, **quiet, "TMPDIR": folder}
