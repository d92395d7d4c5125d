"""The figure of docs/elue.md; `python docs/figures/scored_lines.py out/elue-SST-2` records its points anew."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from greenexp.api.elue import score
from greenexp.figures.figure import Figure

FILE = Path(__file__).parent / "data" / "elue_sst2.csv"
ALONE, DIGITS = "exits used alone", 4


def elue_score() -> Figure:
    """Exit policies over the line of the exits used alone, on the test set of SST-2."""
    points = pd.read_csv(FILE)
    alone = points["line"] == ALONE
    return score(points[~alone], baseline=points[alone]).figures[0]


def recorded(sweep: str) -> pd.DataFrame:
    """Line, seed, metric, mflops, points: the exits of a sweep's chosen configuration, and what its policies score."""
    parts = []
    for line, policies in ((ALONE, ["static"]), ("", [])):
        found = score(sweep, baseline=sweep, policies=policies, split="test")
        metric = found["scores"]["metric"].iloc[0]
        rows = found["points"].assign(metric=metric)
        parts.append(rows.assign(line=line or rows["line"].str.rpartition("/")[2]))
    table = pd.concat(parts, ignore_index=True)[["line", "seed", "metric", "mflops", "points"]]
    return table.round(DIGITS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep")
    recorded(parser.parse_args().sweep).to_csv(FILE, index=False)
