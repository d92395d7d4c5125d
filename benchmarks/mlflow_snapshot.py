"""How long it takes to see all runs of an MLflow: the snapshot, its refreshes, and `mlflow.search_runs`.

    python benchmarks/mlflow_snapshot.py [--runs N] [--searched N] [--folder DIR] [--server] [--http-runs N]

MLflow makes the tables of a SQLite database; then N trials of sweeps of 100, each with 10 parameters and 15 metrics
and the tags that greenexp writes, and a run for each sweep are put into them by SQL. Printed, each in a process of its
own, with the CPU time that it took and its peak memory:

    first load      of an empty cache
    refresh         nothing has changed since
    100 new         one sweep more: 100 runs and that of the sweep
    values          parameters, metrics and tags of the 100 runs of one sweep
    search_runs     `mlflow.search_runs` of N runs (--searched; all of 100,000 take minutes)

With --server the same follows through a `mlflow server` with one worker, of a database with --http-runs runs (all of
100,000 take minutes), and with the CPU time of the server, which is not ours to save. The sweep that is added there
begins now, as one that runs would.

The databases are made in a folder that is removed, or in DIR, where they are used again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from greenexp.tracking import names

PER_SWEEP = 100
PARAMS = [f"training.setting_{number}" for number in range(8)] + ["training.learning_rate", "seeds.initialisation"]
METRICS = ["score", "best_score", "time_s", "total_wall_s", "train_loss", "examples", "optimiser_steps", "attempt"]
METRICS += [f"exit_{number}/{name}" for number in (1, 2, 3) for name in ("dev_accuracy", "inference_flops")]
METRICS += ["learning_rate"]
SWEEP_PARAMS = {"metric.name": "accuracy", "metric.exit": "mean", "metric.mode": "max", "task.name": "clauses"}
STATUSES = ["finished"] * 6 + ["stopped"] * 3 + ["failed"]
MLFLOW = {"finished": "FINISHED", "stopped": "FINISHED", "failed": "FAILED"}
BEGAN_MS = 1_790_000_000_000


def main() -> None:
    if sys.argv[1:2] == ["--step"]:
        step(*sys.argv[2:])
        return
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=100_000)
    arguments.add_argument("--searched", type=int, default=10_000)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--server", action="store_true")
    arguments.add_argument("--http-runs", type=int, default=10_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        file = made(folder, given.runs)
        measure(f"sqlite:///{file}", file, Path(scratch) / "cache", given.searched)
        if given.server:
            file = made(folder, given.http_runs)
            with server(file, Path(scratch)) as (uri, cpu_s):
                measure(uri, file, Path(scratch) / "http", given.searched, cpu_s)


def made(folder: Path, runs: int) -> Path:
    """The database with so many runs."""
    file = folder / f"runs-{runs}.db"
    if not file.is_file():
        make(file, runs)
    return file


@contextlib.contextmanager
def server(file: Path, scratch: Path) -> Iterator[tuple[str, Callable[[], float]]]:
    """A tracking server over a database: its address, and the CPU seconds that it has taken so far."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{file}", "--artifacts-destination", str(scratch / "artifacts")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (scratch / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        uri = f"http://127.0.0.1:{port}"
        while not answers(f"{uri}/health"):
            time.sleep(0.5)
        yield uri, lambda: group_cpu_s(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def group_cpu_s(group: int) -> float:
    """What the processes of a group that are alive have taken (proc(5), fields 5, 14 and 15 of stat)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += (int(fields[2]) == group) * (int(fields[11]) + int(fields[12]))
    return ticks / os.sysconf("SC_CLK_TCK")


def answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(uri, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def measure(uri: str, file: Path, cache: Path, searched: int, cpu_s: Callable[[], float] | None = None) -> None:
    """Print a line per step."""
    print(f"{uri.partition('://')[0]}, {file.stem.partition('-')[2]} trials", flush=True)
    for name in ("first load", "refresh", "100 new", "values"):
        if name == "100 new":
            with sqlite3.connect(file) as database:
                first = sweeps_in(database)
                fill(database, range(first, first + 1), None if cpu_s is None else round(time.time() * 1000))
            database.close()
        show(name, cpu_s, "snapshot" if name != "values" else "values", uri, str(cache))
    if searched:
        show(f"search_runs of {searched:,}", cpu_s, "search", uri, str(searched))


def show(name: str, cpu_s: Callable[[], float] | None, *what: str) -> None:
    before = 0.0 if cpu_s is None else cpu_s()
    command = [sys.executable, __file__, "--step", *what]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    its = "" if cpu_s is None else f"{cpu_s() - before:8.2f} s of the server"
    print(
        f"{name:24}{told['seconds']:8.2f} s {told['cpu_s']:8.2f} s CPU{its} {told['peak_mb']:7.0f} MB  {told['what']}",
        flush=True,
    )


def step(what: str, uri: str, argument: str) -> None:
    """One step in this process; imports are not counted."""
    if what == "search":
        import mlflow

        mlflow.set_tracking_uri(uri)
        ids = [found.experiment_id for found in mlflow.search_experiments()]
        began, busy = time.perf_counter(), time.process_time()
        found = mlflow.search_runs(ids, max_results=int(argument))
        seconds, told = time.perf_counter() - began, f"{len(found):,} runs"
    else:
        import greenexp.tracking.snapshot  # noqa: F401 - it is imported when it is used
        from greenexp.sources.snapshots import snapshot

        if uri.startswith("http"):
            from greenexp.tracking.server import connect

            connect(uri)
        began, busy = time.perf_counter(), time.process_time()
        taken = snapshot(uri, folder=Path(argument))
        seconds, told = time.perf_counter() - began, f"{len(taken.runs):,} runs, {taken.changed:,} read"
        if what == "values":
            of_one = taken.runs[taken.runs["sweep"] == taken.sweeps["sweep"].iloc[0]]["run_id"]
            began, busy = time.perf_counter(), time.process_time()
            values = taken.values(of_one)
            seconds, told = time.perf_counter() - began, f"{len(values):,} values of {len(of_one):,} runs"
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu_s = time.process_time() - busy
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb, "what": told}))


def make(file: Path, runs: int) -> None:
    """A database that MLflow makes, with runs that SQL puts into it."""
    from greenexp.tracking.server import connect

    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    connect(f"sqlite:///{draft}").create_experiment("sweeps")
    database = sqlite3.connect(draft)
    database.execute("PRAGMA synchronous=OFF")
    with database:
        fill(database, range(runs // PER_SWEEP))
    database.close()
    draft.replace(file)


def sweeps_in(database: sqlite3.Connection) -> int:
    return int(
        database.execute("SELECT count(*) FROM tags WHERE key = ? AND value = ?", (names.KIND, "sweep")).fetchone()[0]
    )


def fill(database: sqlite3.Connection, sweeps: range, began_ms: int | None = None) -> None:
    """Sweeps with their trials, as the writer leaves them; began_ms: when the first began."""
    row = "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage, "
    row += "artifact_uri, experiment_id) VALUES (?, ?, 'UNKNOWN', 'me', ?, ?, ?, 'active', '', 1)"
    for sweep in sweeps:
        draw, sweep_ms = random.Random(sweep), began_ms or BEGAN_MS + sweep * 10**6
        parent = f"{draw.getrandbits(128):032x}"
        runs = [(parent, f"sweep-{sweep}", "FINISHED", sweep_ms, sweep_ms + 900_000)]
        tags = list(sweep_tags(parent, sweep))
        params, latest, points = [(name, text, parent) for name, text in SWEEP_PARAMS.items()], [], []
        for number in range(PER_SWEEP):
            run, status = f"{draw.getrandbits(128):032x}", draw.choice(STATUSES)
            began = sweep_ms + number * 7000
            runs.append((run, f"c{number // 2:03d}-i{number % 2}-o0", MLFLOW[status], began, began + 60_000))
            params += [(name, f"{draw.random():.6g}", run) for name in PARAMS]
            latest += [(name, draw.random(), began + 59_000, 3, False, run) for name in METRICS]
            points += [(name, 0.5, began + 20_000, run, 1, False) for name in METRICS]
            tags += list(trial_tags(run, parent, sweep, number, status))
        points += [(key, value, at, run, step, nan) for key, value, at, step, nan, run in latest]
        database.executemany(row, runs)
        for table, columns, rows in (
            ("params", "key, value, run_uuid", params),
            ("tags", "key, value, run_uuid", tags),
            ("latest_metrics", "key, value, timestamp, step, is_nan, run_uuid", latest),
            ("metrics", "key, value, timestamp, run_uuid, step, is_nan", points),
        ):
            marks = ", ".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def identity(sweep: int, role: str) -> dict[str, Any]:
    return {
        names.KIND: role, names.SWEEP_NAME: f"sweep-{sweep}", names.SWEEP_ID: f"{sweep:016x}",
        names.SOURCE: "greenexp",
    }  # fmt: skip


def sweep_tags(run: str, sweep: int) -> Iterator[tuple[str, str, str]]:
    spec = {"name": f"sweep-{sweep}", "metric": {"name": "accuracy", "exit": "mean", "mode": "max"}, "note": "x" * 1500}
    tags = identity(sweep, names.SWEEP) | {
        names.FINGERPRINT: "f" * 64, names.STATUS: "finished", names.SPEC: json.dumps(spec),
        names.PLAN: json.dumps([{"trial": f"c{number:03d}-i0-o0"} for number in range(PER_SWEEP)]),
        "mlflow.runName": f"sweep-{sweep}",
    }  # fmt: skip
    return ((name, text, run) for name, text in tags.items())


def trial_tags(run: str, parent: str, sweep: int, number: int, status: str) -> Iterator[tuple[str, str, str]]:
    name = f"c{number // 2:03d}-i{number % 2}-o0"
    tags = identity(sweep, names.TRIAL) | {
        names.PARENT: parent, names.TRIAL_NAME: name, names.CONFIGURATION_NAME: name[:4], names.STATUS: status,
        names.FINGERPRINT: f"{number:064x}", names.REASON: "", "mlflow.runName": name,
        names.STATE: json.dumps([status, "", 1, 0.0, {}, 0]), names.EXITS: json.dumps({"layers": {"1": 2, "2": 4}}),
        names.DECISIONS: json.dumps([[3, 0, "continue", 0.5, 0.4, "among the best", 12.5]]), names.HELD_OUT: "[]",
        names.REPORTS: json.dumps([{"attempt": 1, "epoch": epoch, "dev_logits": "e" * 64} for epoch in (1, 2, 3)]),
    }  # fmt: skip
    return ((key, text, run) for key, text in tags.items())


if __name__ == "__main__":
    main()
