"""Whether the gain of the next configurations is what was said: `python benchmarks/next_gain.py [--repeats 400]`.

From searches over the tables of `hpo_tables` (one seed of each configuration, drawn with the configuration) and over
three laws of scores with known tails: the first N scores say what the next m gain (`analysis.search.next_gain`), and
the next m are then looked at. Printed per source, N and m: the mean gain said, the mean gain found with its standard
error, their ratio, the median limit that 95 % of searches are said to stay below and the share that did, and the
chance of any gain, said and found. For `tpe` the estimate is an upper one; its searches are those of
benchmarks/search.py with 2 seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import islice

import numpy as np
import pandas as pd
from hpo_tables import TABLES, HpoTable, read_table
from search import Run, fixed

from greenexp.analysis.search.next_gain import NextGain, gain_of_draws, gain_of_search
from greenexp.searches import SEARCHES

SIZES = ((10, 1), (10, 10), (24, 10), (48, 10), (48, 48))
LEARNT_SIZES = ((20, 10), (40, 10), (80, 10))
Draw = Callable[[np.random.Generator, int], np.ndarray]


def laws() -> dict[str, Draw]:
    """A tail without end, one that ends as a quadratic in three hyperparameters makes it, and one in a single one."""
    return {
        "normal": lambda rng, size: rng.normal(size=size),
        "quadratic, 3": lambda rng, size: -(rng.random((size, 3)) ** 2).sum(axis=1),
        "quadratic, 1": lambda rng, size: -(rng.random(size) ** 2),
    }


def drawn_from(table: HpoTable) -> Draw:
    """Random search over a table, with one seed of each configuration."""
    keys = list(table.scores)

    def draw(rng: np.random.Generator, size: int) -> np.ndarray:
        rows = rng.choice(len(keys), size, replace=False)
        return np.array([rng.choice(table.scores[keys[row]]) for row in rows])

    return draw


def row(said: list[NextGain], found: list[float]) -> dict[str, float]:
    """One line of the table."""
    means, gains = np.array([one.mean for one in said]), np.array(found)
    limits = np.array([one.at_most for one in said if one.at_most is not None])
    chances = [one.chance for one in said if one.chance is not None]
    return {
        "said": means.mean(), "found": gains.mean(), "error": gains.std(ddof=1) / np.sqrt(gains.size),
        "said / found": means.mean() / gains.mean() if gains.mean() > 0 else np.nan,
        "at most": np.median(limits) if limits.size else np.nan,
        "held": (gains <= limits + 1e-12).mean() if limits.size else np.nan,
        "chance said": np.mean(chances) if chances else np.nan, "any gain": (gains > 0).mean(),
    }  # fmt: skip


def draws(source: Draw, known: int, more: int, repeats: int) -> dict[str, float]:
    """Searches that draw."""
    rng = np.random.default_rng([known, more])
    said, found = [], []
    for _ in range(repeats):
        scores = source(rng, known + more)
        said.append(gain_of_draws(scores[:known], more))
        found.append(max(0.0, scores[known:].max() - scores[:known].max()))
    return row(said, found)


def learnt(table: HpoTable, repeats: int, length: int) -> list[np.ndarray]:
    """The scores of searches by `tpe`, in the order in which they were proposed."""
    searches = []
    for repeat in range(repeats):
        search = SEARCHES["tpe"](samples=length, seed=repeat).start(table.distributions, "max")
        run = Run(table, search, np.random.default_rng([repeat, 7]))
        list(islice(fixed(run, 2), length))
        searches.append(np.array([one.mean for one in run.configurations]))
    return searches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--learnt", type=int, default=24, help="repeats of searches that learn; 0 leaves them out")
    arguments = parser.parse_args()
    tables = [read_table(name) for name in TABLES]
    sources = {**laws(), **{table.name: drawn_from(table) for table in tables}}
    rows = [
        {"source": name, "N": known, "m": more, **draws(source, known, more, arguments.repeats)}
        for name, source in sources.items()
        for known, more in SIZES
    ]
    show(rows, "Searches that draw")
    if not arguments.learnt:
        return
    rows = []
    for table in tables:
        searches = learnt(table, arguments.learnt, max(known + more for known, more in LEARNT_SIZES))
        for known, more in LEARNT_SIZES:
            said = [gain_of_search(scores[:known], more) for scores in searches]
            found = [max(0.0, scores[known : known + more].max() - scores[:known].max()) for scores in searches]
            rows.append({"source": table.name, "N": known, "m": more, **row(said, found)})
    show(rows, "Searches that learn (tpe)")


def show(rows: list[dict[str, float]], title: str) -> None:
    print(f"\n=== {title} ===")
    with pd.option_context("display.width", 200, "display.float_format", "{:.4g}".format):
        print(pd.DataFrame(rows).set_index(["source", "N", "m"]).dropna(axis=1, how="all").to_string(), flush=True)


if __name__ == "__main__":
    main()
