"""Faults of a cluster of three hosts: `make test-cluster`. Prints a table, and ends with 1 if a sweep was not exact.

The hosts are network namespaces with a /tmp of their own and no shared folder. Each fault hits the same small sweep,
which must end with every trial once and with the numbers of an undisturbed run on one machine. `longest wait` is the
longest time between two reports from the fault on. A sweep under `fifo` is extended after its end, while a host joins;
another one has a teacher whose model lies on the head alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "cli")]

from hosts import HIDDEN, Cluster, network, permitted
from sweeps_for_tests import environment, events, numbers

LIMIT_S = 20
SWEEP = f"""\
name: faults
task: {{name: clauses, train: 2400, dev: 96, test: 96}}
backbone: {{name: bert, layers: 2, hidden: 64, heads: 2}}
training: {{epochs: 4, batch_size: 16, learning_rate: 1e-3, max_length: 32}}
space: {{training.learning_rate: {{dist: loguniform, low: 1e-3, high: 1e-2}}}}
search: {{name: random, samples: 4}}
seeds: {{initialisation: 2}}
scheduler: {{name: sha, reduction_factor: 2, grace_period: 2}}
resources: {{workers: 2, no_report_limit: {LIMIT_S}s, max_failures: 3}}
tracking: {{enabled: false}}
"""
PATIENCE_S = 420
HEADING = f"{'fault':34} {'longest wait':>14} {'in all':>10} {'repeated':>9} {'foreign':>8}  against an undisturbed run"
FOREIGN = ("Traceback", " INFO ", " WARNING ", "(raylet", "StackTrace", "gcs_client", "[state-dump]")
"""Signs of lines on the terminal that are not ours."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a sweep that was hit."""

    fault: str
    wait_s: float
    all_s: float
    repeated: int
    foreign: int
    problem: str


class Drill:
    """One sweep after another on one cluster, each hit once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sweep = folder / "faults.yaml"
        self.sweep.write_text(SWEEP, encoding="utf-8")
        self.cluster = Cluster(folder, {**environment(), "RAY_worker_niceness": "0"})
        self.expected: dict[tuple[str, int], Any] = {}
        self.rows: list[Row] = []

    def undisturbed(self) -> None:
        """The numbers to come back to, on this machine alone."""
        self.expected = self.alone("alone")

    def up(self, *numbers_: int) -> None:
        """Hosts that are not up."""
        for number in numbers_:
            if number not in self.cluster.hosts:
                self.cluster.add(number)

    def hit(self, fault: str, strike: Callable[[], None] | None, *, resume: bool = False) -> None:
        """A sweep that `strike` hits after its fifth report; resume: it must be gone on with afterwards."""
        out = self.folder / fault.replace(" ", "-").replace(",", "")
        log = out.with_suffix(".log")
        began = time.monotonic()
        driver = self.cluster.run("run", str(self.sweep), "--out", str(out), log=log)
        problem = ""
        try:
            if strike is not None:
                while self.reports(out) < 5:
                    if driver.poll() is not None or time.monotonic() - began > PATIENCE_S:
                        raise TimeoutError("no fifth report")
                    time.sleep(0.05)
                strike()
            if resume:
                driver.wait(timeout=60)
                self.up(1, 2, 3)
                driver = self.cluster.run("run", str(self.sweep), "--out", str(out), "--resume", log=log)
            code = driver.wait(timeout=PATIENCE_S)
            problem = self.difference(out) or ("" if code == 0 else f"exit code {code}")
        except (TimeoutError, subprocess.TimeoutExpired, RuntimeError) as error:
            driver.kill()
            problem = str(error)
        all_s = time.monotonic() - began
        reports = [event["t"] for event in events(out) if event["kind"] == "report"]
        at = reports[4] if len(reports) > 4 and strike is not None else 0.0
        gaps = [after - before for before, after in itertools.pairwise(reports) if after > at]
        repeated = len(reports) - len(numbers(out))
        self.rows.append(Row(fault, max(gaps, default=0.0), all_s, repeated, foreign_lines(log), problem))
        print(as_line(self.rows[-1]), flush=True)

    def extend(self, fault: str, meanwhile: Callable[[], None]) -> None:
        """A finished sweep gets as many configurations again; meanwhile: what happens to the cluster in between."""
        out, began = self.folder / "extended", time.monotonic()
        whole = ["run", str(self.sweep), "--set", "scheduler={name: fifo}"]
        expected = self.alone("extended-alone", *whole[2:])
        codes = [self.on_cluster(out, *whole, "--set", "search.samples=2")]
        half = len(numbers(out))
        meanwhile()
        codes.append(self.on_cluster(out, *whole, "--resume"))
        problem = "" if half == len(expected) / 2 else f"{half} reports before"
        self.compare(fault, out, expected, began, problem or ("" if codes == [0, 0] else f"exit codes {codes}"))

    def teach(self, fault: str) -> None:
        """Students of a teacher whose model lies on the head alone."""
        out, began = self.folder / "students", time.monotonic()
        few = ["--set", "scheduler={name: fifo}", "--set", "search.samples=2"]
        self.alone("teacher", *few, "--set", "seeds.initialisation=1", "--set", "training.epochs=1")
        method = f"{{name: distillation, layers: 1, teacher: {self.folder / 'teacher'}}}"
        students = [*few, "--set", f"method={method}"]
        expected = self.alone("students-alone", *students)
        code = self.on_cluster(out, "run", str(self.sweep), *students)
        self.compare(fault, out, expected, began, f"exit code {code}" if code else "")

    def alone(self, name: str, *settings: str) -> dict[tuple[str, int], Any]:
        """The numbers of the sweep with these settings on this machine alone."""
        out = self.folder / name
        command = [sys.executable, "-m", "greenexp", "run", str(self.sweep), *settings, "--out", str(out)]
        done = subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=PATIENCE_S)
        if done.returncode:
            told = done.stderr.decode(errors="replace")
            raise RuntimeError(f"the undisturbed sweep {name} ended with {done.returncode}:\n{told[-2000:]}")
        return numbers(out)

    def on_cluster(self, out: Path, *arguments: str) -> int:
        """The exit code of a sweep on the cluster that nothing hits."""
        process = self.cluster.run(*arguments, "--out", str(out), log=out.with_suffix(".log"))
        return process.wait(timeout=PATIENCE_S)

    def compare(self, fault: str, out: Path, expected: dict[tuple[str, int], Any], began: float, problem: str) -> None:
        """Add a row without a longest wait."""
        found = numbers(out)
        problem = problem or ("" if found == expected else f"{len(found)} of {len(expected)} reports, or other numbers")
        repeated = sum(event["kind"] == "report" for event in events(out)) - len(found)
        foreign = foreign_lines(out.with_suffix(".log"))
        self.rows.append(Row(fault, 0.0, time.monotonic() - began, repeated, foreign, problem))
        print(as_line(self.rows[-1]), flush=True)

    def check_s(self) -> str:
        """Seconds of the check of all nodes before a sweep starts."""
        log = self.folder / "check.log"
        command = [
            sys.executable,
            str(Path(__file__).with_name("check_time.py")),
            str(self.sweep),
            self.cluster.address,
        ]
        if self.cluster.hosts[1].start(command, log).wait(timeout=PATIENCE_S):
            raise RuntimeError(f"the check failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
        return log.read_text(encoding="utf-8").split()[-1]

    def reports(self, out: Path) -> int:
        """How many are on record."""
        return sum(event["kind"] == "report" for event in events(out))

    def difference(self, out: Path) -> str:
        """In words what is not as it was undisturbed; empty if nothing is."""
        found = numbers(out)
        if found != self.expected:
            return f"{len(found)} of {len(self.expected)} reports, or other numbers"
        named = {event["record"].get("logits") for event in events(out) if event["kind"] == "report"}
        lost = [name for name in named if name and not (out / "logits" / f"{name}.npz").is_file()]
        return f"{len(lost)} files of logits are not there" if lost else ""


def foreign_lines(log: Path) -> int:
    """How many lines on the terminal are not ours."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(any(sign in line for sign in FOREIGN) for line in lines)


def as_line(row: Row) -> str:
    """One line of the table."""
    verdict = row.problem or "exact"
    return f"{row.fault:34} {row.wait_s:12.1f} s {row.all_s:8.1f} s {row.repeated:9d} {row.foreign:8d}  {verdict}"


def drills(drill: Drill) -> None:
    """All faults, the gentle ones first."""
    hosts = drill.cluster.hosts
    drill.up(1, 2, 3)
    print(f"check of the nodes before a sweep starts: {drill.check_s()} s", flush=True)
    drill.hit("none", None)
    drill.hit("worker killed", lambda: kill_one(drill))
    drill.hit("node cut off for 40 s", lambda: cut_off(drill, 40))
    hosts[3].kill()
    forget(drill, 3)
    drill.hit("node joins", lambda: drill.up(3))
    drill.hit("node powered off", lambda: (hosts[3].kill(), forget(drill, 3))[1])
    drill.extend("extended on another host", lambda: drill.up(3))
    drill.teach("students, teacher on the head")
    drill.hit("head powered off, then resumed", lambda: power_off(drill), resume=True)


def kill_one(drill: Drill) -> None:
    """The first process that trains."""
    workers = [pid for number in (2, 3) for pid in drill.cluster.hosts[number].workers()]
    os.kill(workers[0], signal.SIGKILL)


def cut_off(drill: Drill, seconds: float) -> None:
    """Host 3 without its cable for a while."""
    host = drill.cluster.hosts[3]
    host.cut_off()
    time.sleep(seconds)
    host.put_back()


def forget(drill: Drill, number: int) -> None:
    """A host that is off, so that it can be made anew."""
    host = drill.cluster.hosts.pop(number)
    for command in (["netns", "del", host.name], ["link", "del", f"gxv{number}"]):
        subprocess.run(["ip", *command], capture_output=True, check=False)


def power_off(drill: Drill) -> None:
    """All hosts, the head first."""
    for number in sorted(drill.cluster.hosts):
        drill.cluster.hosts[number].kill()
    for number in list(drill.cluster.hosts):
        forget(drill, number)


def main() -> int:
    """The table; 1 if a sweep was not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the folders of the sweeps")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    if not permitted():
        print("network namespaces are not permitted on this machine (needs root, ip, unshare, nsenter): nothing tested")
        return 1
    folder = HIDDEN / f"greenexp-faults-{int(time.time())}"
    folder.mkdir()
    drill = Drill(folder)
    try:
        drill.undisturbed()
        print(HEADING)
        with network():
            try:
                drills(drill)
            finally:
                drill.cluster.close()
    finally:
        if arguments.json is not None:
            arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in drill.rows], indent=1))
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    late = [row for row in drill.rows if row.wait_s > 2 * LIMIT_S + 40]
    return int(any(row.problem for row in drill.rows) or bool(late))


if __name__ == "__main__":
    sys.exit(main())
