"""Kills at random moments on one machine: `make test-chaos`, or `python tests/faults/chaos.py --kills 100 --seed 7`.

Small sweeps are killed again and again, each time in a phase and at a target drawn from the seed, and gone on with
until they end. Then an independent look at the journal and at MLflow must find every trial once, with the numbers,
decisions and ends of a sweep that nobody disturbed. One sweep in three records at an `mlflow server`, which is then a
target too, and starts anew when it was killed. Printed are the kills by phase and target, and whether all was exact;
the exit code is 1 if it was not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "cli")]

from sweeps_for_tests import environment, events, numbers

SWEEP = """\
name: chaos
task: {{name: clauses, train: 800, dev: 96, test: 96}}
backbone: {{name: bert, layers: 2, hidden: 64, heads: 2}}
training: {{epochs: 4, batch_size: 16, learning_rate: 1e-3, max_length: 32}}
space: {{training.learning_rate: {{dist: loguniform, low: 1e-3, high: 1e-2}}}}
search: {search}
seeds: {{initialisation: 2}}
scheduler: {scheduler}
resources: {{workers: 2, max_failures: 20, checkpoint_every: 1s, no_report_limit: 60s}}
"""
RANDOM, LEARNING = "{name: random, samples: 4}", "{name: tpe, samples: 4, startup: 2}"
KINDS = {
    "sha": ("{name: sha, reduction_factor: 2}", RANDOM),
    "hyperband": ("{name: hyperband, reduction_factor: 2}", RANDOM),
    "asha_promotion": ("{name: asha_promotion, reduction_factor: 2}", RANDOM),
    "tpe": ("{name: fifo}", LEARNING),
}
"""Name -> scheduler and search of a sweep."""
ORDERED = ("sha", "hyperband")
"""Those whose decisions do not hang on which trial reports first."""
SAME_CONFIGURATIONS = (*ORDERED, "asha_promotion")
"""Those whose configurations do not hang on it."""
PATIENCE_S = 300


class Watched:
    """A driver under watch: its results folder, and what it had written when it was started."""

    def __init__(self, out: Path, process: subprocess.Popen[bytes]) -> None:
        self.out, self.process = out, process
        self.before = len(events(out))

    def fresh(self) -> list[str]:
        """The kinds of events of this session."""
        return [event["kind"] for event in events(self.out)[self.before :]]


def before_first_report(watched: Watched, at: int) -> bool:
    """A worker has started and nothing has been reported in this session."""
    kinds = watched.fresh()
    return "started" in kinds and "report" not in kinds


def at_a_report(watched: Watched, at: int) -> bool:
    """The report of this number has just been written; its decision has or has not."""
    return watched.fresh().count("report") >= at


def in_a_checkpoint(watched: Watched, at: int) -> bool:
    """A folder of a trial's state is there without the file that completes it."""
    folders = (watched.out / "checkpoints").glob("*/*")
    return any(folder.is_dir() and not (folder / "manifest.json").exists() for folder in folders)


def while_paused(watched: Watched, at: int) -> bool:
    """A trial waits at a rung."""
    return watched.fresh().count("paused") >= at


def in_a_flush_of_mlflow(watched: Watched, at: int) -> bool:
    """SQLite is writing, the sweep's own or the server's."""
    writing = (watched.out / "mlflow.db-journal", watched.out.parent / "server" / "server.db-journal")
    return "report" in watched.fresh() and any(file.exists() for file in writing)


def while_finalising(watched: Watched, at: int) -> bool:
    """All trials have ended, and the process has not."""
    kinds = [event["kind"] for event in events(watched.out)]
    return "held_out" in kinds


PHASES: tuple[Callable[[Watched, int], bool], ...] = (
    before_first_report, at_a_report, in_a_checkpoint, while_paused, in_a_flush_of_mlflow, while_finalising,
)  # fmt: skip
SERVER = "server"
TARGETS = ("driver", "worker", "raylet", "gcs_server", SERVER)
SIGNS = {"worker": b"ray::", "raylet": b"raylet/raylet", "gcs_server": b"gcs/gcs_server"}


def processes_of(leader: int, sign: bytes) -> list[int]:
    """Processes of a session whose command line has a sign in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if sign in (entry / "cmdline").read_bytes() and os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found


def kill(process: subprocess.Popen[bytes], target: str, rng: random.Random) -> bool:
    """Kill the target; False if there is none at the moment."""
    if target == "driver":
        process.kill()
        return True
    found = [pid for pid in processes_of(process.pid, SIGNS[target]) if pid != process.pid]
    if target == "worker":
        found = [pid for pid in found if b"Trainable" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    if not found:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(rng.choice(found), signal.SIGKILL)
    return True


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class MlflowServer:
    """A server that can be killed and comes back at the same address."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it; it listens a few seconds later."""
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}",
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **quiet}, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill it and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.5)
        raise SystemExit((self.folder / "server.log").read_text(encoding="utf-8"))


class Chaos:
    """Sweeps and their kills."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.expected: dict[str, tuple[Any, Any]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.missed = self.sweeps = 0
        self.problems: list[str] = []
        self.server = MlflowServer(folder / "server")

    def file(self, kind: str) -> Path:
        """The sweep file of a kind; its undisturbed outcome is then known."""
        path = self.folder / f"{kind}.yaml"
        if kind not in self.expected:
            scheduler, search = KINDS[kind]
            path.write_text(SWEEP.format(scheduler=scheduler, search=search), encoding="utf-8")
            out = path.with_suffix(".undisturbed")
            with contextlib.ExitStack() as stack:
                if self.start(path, out, [], stack).wait(timeout=PATIENCE_S) != 0:
                    raise SystemExit(out.with_suffix(".log").read_text(encoding="utf-8"))
            self.expected[kind] = (numbers(out), outcome(out))
        return path

    def start(self, path: Path, out: Path, options: list[str], stack: contextlib.ExitStack) -> subprocess.Popen[bytes]:
        """A driver in a session of its own; what is left of it at the end is killed."""
        command = [sys.executable, "-m", "greenexp", "run", str(path), "--out", str(out), *options]
        command += ["--resume"] if (out / "journal.jsonl").exists() else []
        with out.with_suffix(".log").open("ab") as log:
            process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log, start_new_session=True)
        stack.callback(lambda: [os.kill(pid, signal.SIGKILL) for pid in processes_of(process.pid, b"")])
        return process

    def one_sweep(self, kills: int) -> int:
        """A sweep that is killed up to `kills` times; returns how often it was."""
        self.sweeps += 1
        kind = self.rng.choice(list(KINDS))
        path, out = self.file(kind), self.folder / f"out-{self.sweeps}"
        uri = self.server.uri if self.rng.random() < 1 / 3 else None
        options = ["--set", f"tracking.uri={uri}", "--set", f"tracking.experiment={out.name}"] if uri else []
        done = 0
        for last in [False] * kills + [True]:
            with contextlib.ExitStack() as stack:
                process = self.start(path, out, options, stack)
                if not last:
                    done += self.one_kill(Watched(out, process), TARGETS if uri else TARGETS[:-1])
                try:
                    code = process.wait(timeout=PATIENCE_S)
                except subprocess.TimeoutExpired:
                    self.problems.append(f"{out.name}: no end within {PATIENCE_S} s")
                    return done
            if code == 0:
                break
        if uri:
            self.server.wait()
        self.check(out, kind, code, uri)
        return done

    def kill(self, watched: Watched, target: str) -> bool:
        """Kill the target; False if there is none at the moment."""
        if target != SERVER:
            return kill(watched.process, target, self.rng)
        self.server.kill()
        self.server.start()
        return True

    def one_kill(self, watched: Watched, targets: Sequence[str]) -> bool:
        """Wait for a phase, and kill a target; False if the sweep ended first."""
        phase, target, at = self.rng.choice(PHASES), self.rng.choice(targets), self.rng.randint(1, 4)
        while watched.process.poll() is None:
            if phase(watched, at) and self.kill(watched, target):
                self.counts[phase.__name__, target] += 1
                return True
            time.sleep(0.002)
        self.missed += 1
        return False

    def check(self, out: Path, kind: str, code: int, uri: str | None) -> None:
        """Note what is not as in the undisturbed sweep."""
        expected_numbers, expected_outcome = self.expected[kind]
        found = numbers(out)
        wrong = [f"exit code {code}"] if code else []
        if kind in ORDERED:
            wrong += ["other numbers"] if found != expected_numbers else []
            wrong += ["other decisions or ends"] if outcome(out) != expected_outcome else []
        elif kind in SAME_CONFIGURATIONS:
            both = found.keys() & expected_numbers.keys()
            wrong += ["other numbers"] if any(found[key] != expected_numbers[key] for key in both) else []
        elif found.keys() != expected_numbers.keys():
            wrong += ["other trials or epochs"]
        wrong += mlflow_problems(out, uri)
        left = [name for name in ("ray", "checkpoints") if (out / name).exists()]
        wrong += [f"left behind: {', '.join(left)}"] if left else []
        self.problems += [f"{out.name} ({kind}): {problem}" for problem in wrong]


def outcome(out: Path) -> Any:
    """What was decided on each trial at each rung, and the scores on test.

    Who had to wait for others hangs on which trial reports first, and is left out.
    """
    decisions: dict[Any, Any] = {}
    held_out: dict[str, list[float]] = {}
    for event in events(out):
        if event["kind"] == "decision" and event["action"] != "pause":
            decided = decisions.setdefault((event["trial"], event["rung"]), [])
            decided.append((event["action"], event.get("rank")))
        if event["kind"] == "held_out":
            held_out.setdefault(event["trial"], []).append(event["record"]["score"])
    return decisions, held_out


def mlflow_problems(out: Path, uri: str | None) -> list[str]:
    """MLflow against the journal, after `sync`."""
    import pandas as pd

    from greenexp.journal.tables import read_tables as from_journal
    from greenexp.tracking.reader import read_tables as from_mlflow
    from greenexp.tracking.server import default_uri
    from greenexp.tracking.sync import sync

    sync(out)
    journal = from_journal(out)
    mlflow = from_mlflow(uri, out.name) if uri else from_mlflow(default_uri(out))
    problems = []
    for name, frame in journal.frames.items():
        try:
            pd.testing.assert_frame_equal(mlflow.frames[name], frame, obj=name)
        except AssertionError as error:
            problems.append(f"MLflow: {str(error).splitlines()[0]}")
    return problems


def table(chaos: Chaos) -> str:
    """Kills by phase and target."""
    lines = [f"{'phase':24}" + "".join(f"{target:>12}" for target in TARGETS)]
    for phase in PHASES:
        name = phase.__name__
        lines.append(
            f"{name.replace('_', ' '):24}" + "".join(f"{chaos.counts[name, target]:12d}" for target in TARGETS)
        )
    return "\n".join(lines)


def main() -> int:
    """The table; 1 if anything was not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="keep the folders of the sweeps")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="greenexp-chaos-"))
    chaos = Chaos(folder, arguments.seed)
    done = 0
    with contextlib.suppress(KeyboardInterrupt):  # the table of what has been done is printed then
        while done < arguments.kills:
            done += chaos.one_sweep(min(chaos.rng.randint(2, 6), arguments.kills - done))
            print(f"{done} kills in {chaos.sweeps} sweeps, {len(chaos.problems)} problems", flush=True)
    print(table(chaos))
    print(f"{sum(chaos.counts.values())} kills in {chaos.sweeps} sweeps; {chaos.missed} came too late and do not count")
    print("\n".join(chaos.problems) or "all exact")
    chaos.server.kill()
    if arguments.keep or chaos.problems:
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(chaos.problems))


if __name__ == "__main__":
    sys.exit(main())
