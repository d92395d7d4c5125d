"""Is the price before a sweep what the sweep then used? Sweeps are priced by a calibration and run, several times.

Each repetition has a search and seeds of its own, so that what the scheduler stops differs as it would in other
sweeps. It prices the sweep by a calibration alone (`greenexp run --calibrate --from` an empty folder: the price is on
record when the sweep begins) and runs it. From the second repetition on it is also priced from the repetitions
before. Printed: of each axis the price, what was used, their ratio, and whether the 80 % interval covers it; at the
end how many intervals cover, and how far off they were. The FLOPs of the epochs that ran are computed again and must
be those on record, to the last digit.

    python benchmarks/price.py out/price --repetitions 10
    python benchmarks/price.py out/price --sweep smoke --repetitions 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import greenexp
from greenexp.plan.data import prepare_data
from greenexp.plan.flops import epoch_flops
from greenexp.records.axes import AXES
from greenexp.records.progress import report_at
from greenexp.units import format_quantity

SWEEPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "smoke": ("smoke", ("search.samples=3", "training.epochs=4")),
    "quickstart": ("quickstart", ("search.samples=3", "task.train=400", "task.dev=400")),
    "one-worker": ("smoke", ("search.samples=2", "resources.workers=1", "scheduler={name: fifo}", "training.epochs=4")),
}
"""Name -> the sweep that comes with greenexp, and how it is scaled down."""
UNLIMITED = "budget.wall_s=null"
"""A limit on time would end a sweep before its price is used up."""
TARGET = 0.2
"""The largest part by which elapsed time may differ from the price."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the sweeps go; must not hold any yet")
    parser.add_argument("--sweep", action="append", choices=SWEEPS, help="one of them (default: all)")
    parser.add_argument("--repetitions", type=int, default=10)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in given.sweep or SWEEPS:
        sweep, changes = SWEEPS[name]
        for number in range(1, given.repetitions + 1):
            for row in repetition(given.folder / name, sweep, changes, number):
                rows.append({"sweep": name, "repetition": number, **row})
                print(line(rows[-1]), flush=True)
    summarise(rows)
    (given.folder / "price.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def repetition(folder: Path, sweep: str, changes: Sequence[str], number: int) -> Iterator[dict[str, Any]]:
    """One run, with its price by calibration, and the one that the runs before it give."""
    own = (f"search.seed={number}", f"seeds.root={number}")
    sets = [part for change in (*changes, *own, UNLIMITED) for part in ("--set", change)]
    before = folder / "runs"
    (folder / "nothing").mkdir(parents=True, exist_ok=True)
    earlier = {}
    if number > 1:
        earlier = json.loads(command("plan", sweep, *sets, "--from", str(before), "--json"))
    out = before / f"{number:02d}"
    command("run", sweep, *sets, "--out", str(out), "--calibrate", "--from", str(folder / "nothing"))
    status = json.loads(command("status", str(out), "--json"))
    recomputed = flops_of_what_ran(out, folder / "nothing")
    print(f"{'':12} FLOPs of what ran: {'as on record' if recomputed else 'NOT as on record'}")
    yield from compared("calibration", status["price"], status["used"])
    if earlier:
        bounds = {axis: bound for axis, bound in earlier["price"].items() if bound["expected"] is not None}
        for bound in bounds.values():
            bound["low"] = bound["expected"] if bound["low"] is None else bound["low"]
            bound["high"] = bound["expected"] if bound["high"] is None else bound["high"]
        yield from compared(f"{number - 1} run(s)", bounds, status["used"])


def compared(how: str, price: dict[str, Any], used: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for axis in AXES:
        if axis in price and used.get(axis) and price[axis]["expected"]:
            ends = {end: price[axis][end] for end in ("low", "expected", "high")}
            ratio = used[axis] / ends["expected"]
            covered = ends["low"] <= used[axis] <= ends["high"]
            yield {"from": how, "axis": axis, **ends, "used": used[axis], "ratio": ratio, "covered": covered}


def flops_of_what_ran(folder: Path, empty: Path) -> bool:
    """Whether the analytic FLOPs of every trial's reports are those on record."""
    plan = greenexp.plan(folder / "sweep.yaml", measured_in=empty)
    trials = {trial.trial: trial for trial in plan.trials}
    per_epoch, data = plan.spec.training.reports_per_epoch, prepare_data(plan.trials[0].settings)
    epochs = greenexp.load(folder).tables.epochs
    return all(
        epoch_flops(trials[name], data).training[report_at(epoch, per_epoch) - 1] == flops
        for name, epoch, flops in zip(epochs["trial"], epochs["epoch"], epochs["train_flops"], strict=True)
    )


def line(row: dict[str, Any]) -> str:
    unit = AXES[row["axis"]].unit
    low, expected, high, used = (format_quantity(row[key], unit) for key in ("low", "expected", "high", "used"))
    covered = "covered" if row["covered"] else "not covered"
    price = f"{expected} ({low} to {high})"
    return (
        f"{row['sweep']:12} {row['repetition']:2}  {row['from']:12} {row['axis']:12} {price:40} {used:>12} "
        f"{row['ratio']:6.3f}  {covered}"
    )


def summarise(rows: Sequence[dict[str, Any]]) -> None:
    print()
    for name in dict.fromkeys(row["sweep"] for row in rows):
        for how in ("calibration", "runs before"):
            own = [r for r in rows if r["sweep"] == name and (r["from"] == "calibration") == (how == "calibration")]
            for axis in dict.fromkeys(row["axis"] for row in own):
                found = [row for row in own if row["axis"] == axis]
                off = [abs(row["ratio"] - 1) for row in found]
                within = sum(each <= TARGET for each in off)
                print(
                    f"{name:12} {how:12} {axis:12} covered {sum(row['covered'] for row in found)} of {len(found)}, "
                    f"within {TARGET:.0%}: {within}, median |ratio - 1| {statistics.median(off):.3f}"
                )


def command(*arguments: str) -> str:
    """What the command prints; a run whose trials failed is still a result."""
    done = subprocess.run([sys.executable, "-m", "greenexp", *arguments], capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"greenexp {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
