"""What schedulers and seed designs find at equal cost: `python benchmarks/schedulers.py CURVES.csv [--json FILE]`.

CURVES.csv: a row per trial and report of a crossed sweep in which nothing was stopped: trial, configuration, epoch,
score, train_flops (cumulative), a trial for each configuration and seed; `sweeps/recorded/` has one, and
`--record` writes one of a sweep's folder. A search draws configurations with replacement, and of each the seeds it
trains without, and runs them under the product's scheduler objects. For each budget, in full trainings of one seed, it
begins as many as come to that cost on average. It chooses the best mean over the seeds of those that were trained to
their end.

Printed, means over searches with their standard errors: *regret*, the true mean (over all recorded seeds) of the best
configuration less that of the one chosen; *optimism*, the mean it was chosen by less its true mean. Without seeds there
is no true mean: for curves of single runs (`--runs`, columns run, step, score, examples, as `opda_curves.py` writes
them) the expected best and its cost are printed, as by `greenexp simulate`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import greenexp
from greenexp.analysis.stopping.simulate_search import run_search
from greenexp.analysis.stopping.simulate_seeds import finished_units, seed_places
from greenexp.errors import InputError
from greenexp.journal.tables import read_tables
from greenexp.schedulers import build

BUDGETS = (8, 16, 32)
START, MOST, LOOKS, PILOT = 12, 128, 3, 24
GROWING = [1, 2, 4]
SCHEDULERS: Mapping[str, Mapping[str, Any]] = {
    "fifo": {"name": "fifo"},
    "one_epoch": {"name": "one_epoch", "keep": 2},
    "median": {"name": "median"},
    "sha": {"name": "sha"},
    "asha": {"name": "asha"},
    "asha_promotion": {"name": "asha_promotion"},
    "pasha": {"name": "pasha"},
    "hyperband": {"name": "hyperband"},
}
GROW = ("sha", "asha", "asha_promotion", "hyperband")
COLUMNS = ["trial", "configuration", "initialisation_seed", "order_seed", "epoch", "score", "train_flops"]


@dataclass(frozen=True)
class Crossed:
    """Recorded curves of N configurations with S seeds each at T reports.

    scores: [N, S, T], the best so far; costs: [N, S, T], cumulative; epoch: how many reports make one
    """

    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    epoch: int

    @property
    def true(self) -> NDArray[np.float64]:
        """[N] means of the final scores over all seeds."""
        return self.scores[:, :, -1].mean(axis=1)

    @property
    def full(self) -> float:
        """The mean cost of training one seed."""
        return float(self.costs[:, :, -1].mean())


@dataclass(frozen=True)
class Design:
    """How a search is run: scheduler, number of seeds or "growing", and at which reports rungs may be."""

    scheduler: str
    seeds: int | str
    rungs: str

    @property
    def held(self) -> bool:
        """Whether seeds are trained one after the other, as configurations climb."""
        return self.seeds == "growing"

    @property
    def trials(self) -> int:
        """Seeds that a configuration may have."""
        return GROWING[-1] if self.held else int(self.seeds)

    @property
    def settings(self) -> dict[str, Any]:
        """The section `scheduler` of a sweep file, with rungs counted in the reports that they may be at."""
        return {**SCHEDULERS[self.scheduler], **({"seeds": GROWING} if self.held else {})}


def crossed(file: Path) -> Crossed:
    """The curves of a recorded crossed sweep."""
    table = pd.read_csv(file, comment="#").sort_values(["configuration", "trial", "epoch"])
    n, s = table["configuration"].nunique(), table.groupby("configuration")["trial"].nunique().iloc[0]
    shape = (n, s, len(table) // (n * s))
    scores = np.maximum.accumulate(table["score"].to_numpy().reshape(shape), axis=2)
    return Crossed(
        scores,
        table["train_flops"].to_numpy(dtype=np.float64).reshape(shape),
        int((table["epoch"] <= 1).sum() / (n * s)),
    )


def designs() -> Iterator[Design]:
    """All that are compared; a scheduler that stops nobody has no rungs."""
    for name in SCHEDULERS:
        for rungs in ("whole epochs",) if name in {"fifo", "one_epoch"} else ("whole epochs", "within"):
            for seeds in (1, 2, 4, *(("growing",) if name in GROW else ())):
                yield Design(name, seeds, rungs)


def one_search(curves: Crossed, design: Design, units: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """(cost in full trainings, regret, optimism) of one search of so many configurations."""
    drawn = rng.integers(len(curves.true), size=units)
    seeds = np.argsort(rng.random((units, curves.scores.shape[1])), axis=1)[:, : design.trials]
    scores, costs = (part[drawn[:, None], seeds] for part in (curves.scores, curves.costs))
    if design.rungs == "whole epochs":
        scores, costs = (part[:, :, curves.epoch - 1 :: curves.epoch] for part in (scores, costs))
    values, paid = (scores, costs) if design.held else (scores.mean(axis=1)[:, None], costs.sum(axis=1)[:, None])
    trials, parts = values.shape[1], values.shape[2]
    names = [f"{unit}-{seed}" for unit in range(units) for seed in range(trials)]
    groups = {str(unit): names[unit * trials : (unit + 1) * trials] for unit in range(units)}
    scheduler = build(design.settings, max_epochs=parts, groups=groups, mode="max")
    rungs = sorted({int(part) for part, _ in seed_places(scheduler.bracket_plan(), parts, trials)})
    found = run_search(scheduler, names, values.reshape(-1, parts), paid.reshape(-1, parts), rungs, 1)
    ended = finished_units(found, trials)
    means = scores[:, :, -1].mean(axis=1)
    chosen = max(reversed(ended), key=lambda unit: float(means[unit]))
    true = curves.true
    cost = found.cost(paid.reshape(-1, parts)) / curves.full
    return cost, float(true.max() - true[drawn[chosen]]), float(means[chosen] - true[drawn[chosen]])


def searches(curves: Crossed, design: Design, units: int, repeats: int) -> NDArray[np.float64]:
    """[repeats, 3] of `one_search`; the same repeat has the same seed everywhere."""
    return np.array([one_search(curves, design, units, np.random.default_rng([units, r])) for r in range(repeats)])


def units_for(curves: Crossed, design: Design, budget: float) -> int | None:
    """How many configurations come to the budget on average; None where even the fewest possible cost more.

    The cost of one more is about the same everywhere, so few looks are enough.
    """
    units = START
    for _ in range(LOOKS):
        try:
            each = searches(curves, design, units, PILOT)[:, 0].mean() / units
        except InputError:  # too few for the scheduler to stop anybody
            return None
        following = max(1, min(MOST, round(budget / each)))
        if following == units:
            break
        units = following
    return units


def rows_of(curves: Crossed, repeats: int) -> Iterator[dict[str, Any]]:
    """A row for each design and budget."""
    for budget in BUDGETS:
        for design in designs():
            units = units_for(curves, design, budget)
            try:
                cost, regret, optimism = searches(curves, design, units or 0, repeats).T
            except InputError:
                continue
            yield {
                "budget": budget, "scheduler": design.scheduler, "seeds": str(design.seeds), "rungs": design.rungs,
                "begun": units, "cost": cost.mean(), "regret": 100 * regret.mean(),
                "error": 100 * regret.std(ddof=1) / repeats**0.5, "optimism": 100 * optimism.mean(),
            }  # fmt: skip


def record(folder: Path, file: Path) -> None:
    """The curves of a sweep's folder as a file; a comment says where they are from."""
    tables = read_tables(folder)
    seeds = tables.trials[["trial", "initialisation_seed", "order_seed"]]
    rows = tables.epochs[~tables.epochs["repeated"]].merge(seeds, on="trial").sort_values(["trial", "epoch"])
    rows = rows.assign(train_flops=rows.groupby("trial")["train_flops"].cumsum())
    if set(tables.trials["status"]) != {"finished"}:
        raise SystemExit("some trials did not run to their end")
    rows[COLUMNS].to_csv(file, index=False, float_format="%.10g")


def of_runs(file: Path, repeats: int) -> pd.DataFrame:
    """Expected best and saving on curves of single runs, 34 begun, four at a time."""
    names = [name for name in SCHEDULERS if name not in {"one_epoch"}]
    found = greenexp.simulate(file, cost="examples", schedulers=names, trials=[34], workers=4, repeats=repeats)
    return found["searches"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path, nargs="?")
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="curves of single runs")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="write CURVES.csv from this sweep instead")
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write every row to this file")
    arguments = parser.parse_args()
    if arguments.record is not None:
        record(arguments.record, arguments.curves)
        return
    pd.set_option("display.width", 200, "display.max_columns", 30, "display.max_rows", 500)
    for file in arguments.runs:
        print(f"\n=== {file.name} ===\n{of_runs(file, arguments.repeats).to_string(index=False)}", flush=True)
    if arguments.curves is None:
        return
    curves = crossed(arguments.curves)
    print(f"{len(curves.true)} configurations, {curves.scores.shape[1]} seeds, {curves.scores.shape[2]} reports")
    table = pd.DataFrame(rows_of(curves, arguments.repeats))
    for budget, part in table.groupby("budget"):
        print(f"\n=== cost of {budget} full trainings ===")
        print(part.drop(columns="budget").sort_values("regret").to_string(index=False, float_format="{:.3f}".format))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(table.to_dict("records"), indent=1))


if __name__ == "__main__":
    main()
