"""The same search three ways: greenexp, Ray Tune + HF Trainer as the tutorials write it, and the same tuned by hand.

    python benchmarks/sweep_overhead.py [--sweep FILE] [--set KEY=VALUE]... [--repeats N]

All three train the same points (learning rates x seeds) of the same model on the same sentences for the same epochs,
with two trials at a time and Ray's or our ASHA, decided per trial. Each way runs in a process of its own, one after
another; ways between the tutorial's and the tuned one show the gain by cause. Printed: wall clock of the whole command,
CPU seconds of the workers, best dev accuracy, and the share of slot time in which a worker neither trained nor
evaluated, from the first trial's start to the last report. All but ours need `pip install accelerate`. A short run on a
noisy machine says little: look at ratios, and repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WAYS = ("greenexp", "tutorial", "tuned")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sweep", default="smoke", help="a sweep file or the name of a shipped one")
    arguments.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments.add_argument("--repeats", type=int, default=1)
    arguments.add_argument(
        "--ways", default=",".join(WAYS), help="or e.g. tutorial,padding,padding+bf16,tuned,greenexp"
    )
    given = arguments.parse_args()
    overrides = [*given.overrides, "scheduler.per_trial=true"]
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in given.ways.split(",")}
    for repeat in range(given.repeats):
        for way, measured in rows.items():
            measured.append(run(way, given.sweep, overrides))
            print(f"# repeat {repeat + 1} {way}: {json.dumps(measured[-1])}", flush=True)
    print_table(rows)


def run(way: str, sweep: str, overrides: list[str]) -> dict[str, float]:
    """One way from start to end, in a fresh process and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        settings = [part for override in overrides for part in ("--set", override)]
        if way == "greenexp":
            command = [sys.executable, "-m", "greenexp", "run", sweep, "--out", str(out), *settings]
        else:
            command = [sys.executable, str(HERE / "peer_sweep.py"), way, sweep, str(out), *settings]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ}, check=False)
        wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise SystemExit(f"{way} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = from_journal(out) if way == "greenexp" else json.loads((out / "result.json").read_text())
    return {"wall_s": round(wall_s, 1), "driver_cpu_s": round(cpu_s, 1), **found}


def from_journal(out: Path) -> dict[str, float]:
    """What greenexp recorded of its own run."""
    events = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    reports = [event for event in events if event["kind"] == "report"]
    workers = next(event for event in events if event["kind"] == "sweep")["spec"]["resources"]["workers"]
    began = min(event["t"] for event in events if event["kind"] == "started")
    slot_s = workers * (max(event["t"] for event in reports) - began)
    busy_s = sum(event["record"]["costs"]["wall_s"] for event in reports)
    return {
        "epochs": len(reports),
        "best": round(max(event["record"]["score"] for event in reports), 4),
        "worker_cpu_s": round(sum(event["record"]["costs"]["cpu_s"] for event in reports), 1),
        "outside_share": round(1 - busy_s / slot_s, 3),
    }


def print_table(rows: dict[str, list[dict[str, float]]]) -> None:
    """Medians, and every figure's ratio to the first way."""
    columns = ("wall_s", "worker_cpu_s", "epochs", "wall_s/epoch", "best", "outside_share")
    print(f"{'':10}" + "".join(f"{column:>15}" for column in columns) + f"{'wall of first':>15}")
    first = None
    for way, measured in rows.items():
        for row in measured:
            row["wall_s/epoch"] = row["wall_s"] / row["epochs"]
        medians = {column: statistics.median(row[column] for row in measured) for column in columns}
        first = first or medians["wall_s"]
        cells = "".join(f"{medians[column]:>15.3f}" for column in columns)
        print(f"{way:10}{cells}{medians['wall_s'] / first:>14.2f}x")


if __name__ == "__main__":
    main()
