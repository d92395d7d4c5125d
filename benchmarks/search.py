"""What searches find at equal cost: `python benchmarks/search.py [--repeats 30] [--tables ...] [--json FILE]`.

On tables that others trained (`hpo_tables`), each search spends 50, 100 and 200 evaluations: on as many configurations
with one seed, on half as many with two, or on configurations whose seeds grow (1, then 2 and 4 for the best quarter of
those that were given fewer, promoted as `asha_promotion` promotes). An evaluation is one seed of one configuration;
seeds are drawn without replacement from those of the table. A search is told the mean over seeds. It chooses the best
mean among the configurations with the most seeds.

Printed, medians over repeats: the share of the space whose true mean (over all seeds of the table) is at least as good
as that of the configuration chosen; optimism, the mean it was chosen by less its true mean; milliseconds per ask.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hpo_tables import TABLES, HpoTable, read_table

from greenexp.searches import SEARCHES, Observation, Proposal, ProposalState

COSTS = (50, 100, 200)
GROWING = (1, 2, 4)
REDUCTION = 4
MOST_FOR = {"gp": 100}
"""A Gaussian process takes up to a second for an ask after 100."""
REPEATS_FOR = {"gp": 15}


@dataclass
class Configuration:
    """One configuration.

    values, key: where it is; scores: of all its seeds, in the order in which they are evaluated; seeds: so far
    """

    values: dict[str, Any]
    key: str
    scores: np.ndarray
    seeds: int

    @property
    def mean(self) -> float:
        """Over the seeds so far."""
        return float(self.scores[: self.seeds].mean())


@dataclass
class Run:
    """One search over one table; spent: evaluations; asks, ask_s: how often it was asked and how long that took."""

    table: HpoTable
    search: Any
    rng: np.random.Generator
    configurations: list[Configuration] = field(default_factory=list)
    spent: int = 0
    asks: int = 0
    ask_s: float = 0.0

    def propose(self, seeds: int) -> Configuration:
        """One more configuration with its first `seeds` seeds."""
        history = [
            Observation(number, one.values, ProposalState.COMPLETE, one.mean, number, 1)
            for number, one in enumerate(self.configurations)
        ]
        began = time.perf_counter()
        answer = self.search.ask(history)
        self.ask_s += time.perf_counter() - began
        self.asks += 1
        if not isinstance(answer, Proposal):
            raise SystemExit(f"the search proposes nothing more after {len(history)} configurations")
        key = self.table.key(answer.values)
        one = Configuration(dict(answer.values), key, self.table.in_random_order(key, self.rng), seeds)
        self.configurations.append(one)
        self.spent += seeds
        return one

    @property
    def chosen(self) -> Configuration:
        """The best mean among those with the most seeds, of equal ones the last, as a sweep chooses."""
        return max(reversed(self.configurations), key=lambda one: (one.seeds, one.mean))


def fixed(run: Run, seeds: int) -> Iterator[None]:
    """Every configuration with `seeds` seeds."""
    while True:
        run.propose(seeds)
        yield


def growing(run: Run, _seeds: int) -> Iterator[None]:
    """One seed first; the best quarter of those at a rung are given the seeds of the next, as they become known."""
    ladder = [min(seeds, run.table.seeds) for seeds in GROWING]
    while True:
        candidate = next(_promotable(run, ladder), None)
        if candidate is None:
            run.propose(ladder[0])
        else:
            following = ladder[ladder.index(candidate.seeds) + 1]
            run.spent += following - candidate.seeds
            candidate.seeds = following
        yield


def _promotable(run: Run, ladder: list[int]) -> Iterator[Configuration]:
    """Highest rung first; at a rung the best floor(m / eta) of the m that came to it, by the seeds it counts."""
    for level in range(len(ladder) - 2, -1, -1):
        seeds = ladder[level]
        there = [one for one in run.configurations if one.seeds >= seeds]
        there.sort(key=lambda one: -float(one.scores[:seeds].mean()))
        yield from (one for one in there[: len(there) // REDUCTION] if one.seeds == seeds)


DESIGNS: dict[str, tuple[Callable[[Run, int], Iterator[None]], int]] = {
    "1 seed": (fixed, 1),
    "2 seeds": (fixed, 2),
    "growing": (growing, 1),
}


def one_search(table: HpoTable, name: str, design: str, repeat: int) -> Iterator[dict[str, Any]]:
    """A row for each of COSTS; the same repeat of two searches has the same seeds, and the same start where drawn."""
    most = MOST_FOR.get(name, max(COSTS))
    settings = {"samples": max(most, 11), "seed": repeat}
    search = SEARCHES[name](**settings).start(table.distributions, "max")
    step, seeds = DESIGNS[design]
    run = Run(table, search, np.random.default_rng([repeat, len(design)]))
    costs = [cost for cost in COSTS if cost <= most]
    for _ in step(run, seeds):
        while costs and run.spent >= costs[0]:
            chosen = run.chosen
            yield {
                "table": table.name, "search": name, "design": design, "repeat": repeat, "cost": costs.pop(0),
                "share": table.share_as_good(chosen.key), "optimism": chosen.mean - table.true(chosen.key),
                "configurations": len(run.configurations), "ask_ms": 1000 * run.ask_s / run.asks,
            }  # fmt: skip
        if not costs:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES), metavar="TABLE")
    parser.add_argument("--searches", nargs="*", default=["random", "tpe", "nsga2", "gp"])
    parser.add_argument("--json", type=Path, help="write every row to this file")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for table in map(read_table, arguments.tables):
        for name in arguments.searches:
            for design in DESIGNS:
                for repeat in range(min(arguments.repeats, REPEATS_FOR.get(name, arguments.repeats))):
                    rows += one_search(table, name, design, repeat)
        show(pd.DataFrame([row for row in rows if row["table"] == table.name]), table.name)
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows))


def show(rows: pd.DataFrame, title: str) -> None:
    """The medians of one table, a line per search and design."""
    print(f"\n=== {title} ===")
    keys = ["search", "design"]
    shares = rows.pivot_table(index=keys, columns="cost", values="share", aggfunc="median", sort=False)
    shares.columns = [f"share, {cost}" for cost in shares.columns]
    optimism = rows.pivot_table(index=keys, columns="cost", values="optimism", aggfunc="median", sort=False)
    optimism.columns = [f"optimism, {cost}" for cost in optimism.columns]
    asks = rows[rows["cost"] == rows.groupby(keys)["cost"].transform("max")].groupby(keys, sort=False)
    more = asks.agg(**{"ms per ask": ("ask_ms", "median"), "repeats": ("repeat", "nunique")})
    with pd.option_context("display.width", 200, "display.float_format", "{:.5f}".format):
        print(shares.join(optimism).join(more).to_string(), flush=True)


if __name__ == "__main__":
    main()
