"""Small sweeps, and the real command line as a child process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
TINY = """\
name: tiny
task: {name: clauses, train: 400, dev: 96, test: 96}
backbone: {name: bert, layers: 2, hidden: 32, heads: 2}
training: {epochs: 4, batch_size: 16, learning_rate: 1e-3, max_length: 32}
space: {training.learning_rate: {dist: loguniform, low: 1e-3, high: 1e-2}}
search: {name: random, samples: 4}
seeds: {initialisation: 2}
scheduler: {name: sha, reduction_factor: 2}
resources: {workers: 2}
"""


def write_sweep(folder: Path, text: str = TINY) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def greenexp(*arguments: object, cwd: Path | None = None, module: str = "greenexp") -> subprocess.CompletedProcess[str]:
    """The command run to its end, at most four minutes; `module`: what Python starts."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=240, check=False)


def environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default", "PYTHONPATH": paths}


@contextlib.contextmanager
def started(log: Path, *arguments: object, module: str = "greenexp") -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own, as a terminal would start it; its output goes to `log`.

    A file and not a pipe: Ray's processes inherit it and may outlive a killed driver for a moment. What still runs at
    the end is killed.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment(), stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(process: subprocess.Popen[bytes], ready: Callable[[], bool], timeout_s: float = 180) -> None:
    """Until `ready()`, failing if the process ends first."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"not ready, exit code {process.wait()}")
        time.sleep(0.05)


def events(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal."""
    path = folder / "journal.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def count(folder: Path, kind: str) -> int:
    return sum(event["kind"] == kind for event in events(folder))


def workers_of(process: subprocess.Popen[bytes], kind: bytes = b"Trainable") -> list[int]:
    """Process ids of the training actors that a driver's Ray has started, by the session of the process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                title = (entry / "cmdline").read_bytes()
                is_actor = title.startswith(b"ray::") and kind in title
                if is_actor and os.getsid(int(entry.name)) == process.pid:
                    found.append(int(entry.name))
    return sorted(found)


def signal_workers(
    process: subprocess.Popen[bytes], number: signal.Signals, most: int = 99, kind: bytes = b"Trainable"
) -> None:
    """A signal to the training actors, as soon as there is one: between two trials there may be none."""

    def sent() -> bool:
        reached = 0
        for worker in workers_of(process, kind)[:most]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, number)
                reached += 1
        return reached > 0

    wait_for(process, sent)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C in a terminal: SIGINT to the whole process group."""
    os.killpg(process.pid, signal.SIGINT)


def numbers(folder: Path) -> dict[tuple[str, int], Any]:
    """(trial, epoch) -> everything a report says but its costs, the last attempt's."""
    found = {}
    for event in events(folder):
        if event["kind"] == "report":
            record = {key: value for key, value in event["record"].items() if key not in {"costs", "not_measured"}}
            record["computed_with"] = {**record["computed_with"], "energy_method": ""}
            found[event["trial"], record["epoch"]] = record
    return found
