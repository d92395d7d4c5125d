"""The tables of docs/results/images.md from the record of a sweep: `python benchmarks/images.py DIR [--markdown]`.

Printed are, per configuration, the dev accuracy of every exit in points and what training took; the best accuracy of
policies at a speed-up of at least 1.25, where thresholds and scores are of the same dev set; and how often the last
exit is wrong, by tenths of the dev examples of rising confusion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from methods_text import NONE, Row, as_markdown, as_text, number

from greenexp.analysis.exits.exit_means import TO_END, exit_means, training_costs
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.sources.tables import read_tables

LEAST = 1.25
POLICIES = ("patience", "max_probability", "entropy")
NAME = PARAMS + "method.name"


def exits(tables: SweepTables, names: dict[str, str]) -> list[Row]:
    """A row per configuration: its exits by layer, and the FLOPs of its training."""
    means, costs = exit_means(tables), training_costs(tables)
    spent = costs[costs["until"] == TO_END].groupby("configuration")["train_flops"].mean()
    layers = sorted(set(means["layer"]))
    rows: list[Row] = []
    for configuration, own in means.groupby("configuration", sort=False):
        scores = dict(zip(own["layer"], own["score_mean"], strict=True))
        row: Row = {"method": names[str(configuration)]}
        row |= {f"block {layer}": number(scores[layer]) if layer in scores else NONE for layer in layers}
        row["mean"] = number(own["score_mean"].mean())
        rows.append({**row, "train TFLOP": f"{spent[configuration] / 1e12:.2f}"})
    return rows


def policies(tables: SweepTables, names: dict[str, str]) -> list[Row]:
    """A row per configuration: the best operating point of each policy that is fast enough."""
    points = tables.operating_points
    rows: list[Row] = []
    for configuration, own in points.groupby("configuration", sort=False):
        row: Row = {"method": names[str(configuration)]}
        for policy in POLICIES:
            fast = own[(own["policy"] == policy) & (own["speed_up"] >= LEAST)]
            best = fast.loc[fast["score"].idxmax()] if len(fast) else None
            row[policy] = NONE if best is None else f"{number(best['score'])} ({best['speed_up']:.2f}x)"
        rows.append(row)
    return rows


def confusion(tables: SweepTables, names: dict[str, str]) -> list[Row]:
    """A row per tenth: what the last exit gets wrong, a column per configuration; below, the area under the curve."""
    frame = tables.confusion
    rows: list[Row] = []
    for part, own in frame.groupby("part"):
        wrong = own.groupby("configuration")["wrong"].mean()
        rows.append({"tenth": str(part), **{names[str(c)]: number(value) for c, value in wrong.items()}})
    areas = frame.groupby("configuration")["area"].mean()
    return [*rows, {"tenth": "area under ROC", **{names[str(c)]: f"{value:.3f}" for c, value in areas.items()}}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--markdown", action="store_true", help="tables as they stand on the page")
    given = parser.parse_args()
    tables = read_tables(str(given.folder)).tables
    trials: pd.DataFrame = tables.trials
    names = dict(zip(trials["configuration"], trials[NAME], strict=True))
    show = as_markdown if given.markdown else as_text
    show("Dev accuracy of every exit", exits(tables, names))
    show(f"Best dev accuracy at a speed-up of at least {LEAST:g}", policies(tables, names))
    show("Wrong at the last exit, by confusion", confusion(tables, names))


if __name__ == "__main__":
    main()
