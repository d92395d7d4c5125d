"""What `greenexp replay` shows of each table; the JSON has every operating point."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.cli.printing.text_table import records
from greenexp.replay.naming import shortest
from greenexp.units import format_quantity

Layout = Callable[[pd.DataFrame], pd.DataFrame]
Row = dict[Hashable, Any]
UNKNOWN = "not known"


def heading(findings: Findings) -> str:
    """A line per trial: the sweep's name, the trial's, how many examples, the metric."""
    return "\n".join(map(_about, findings["trials"].to_dict("records")))


def layouts(findings: Findings) -> dict[str, Layout]:
    """Table -> the columns to show; `trial` is among them where there are several."""
    trials = findings["trials"]
    has_test = bool(trials["test_examples"].notna().any())
    splits, metrics = (
        ("dev", "test") if has_test else ("dev",),
        dict(zip(trials["trial"], trials["metric"], strict=True)),
    )

    def shown(rows: Callable[[pd.DataFrame], Iterator[tuple[Row, Row]]]) -> Layout:
        def layout(frame: pd.DataFrame) -> pd.DataFrame:
            cells = [
                {**first, **{name: text for split in splits for name, text in _worth(row, split, metrics).items()}}
                for first, row in rows(frame)
            ]
            table = pd.DataFrame(cells).fillna("-")
            return table if len(metrics) > 1 else table.drop(columns="trial")

        return layout

    return {"chosen": shown(_chosen), "budgets": shown(_budgets)}


def points(findings: Findings) -> list[dict[str, Any]]:
    """Every operating point as JSON; what is not known or has no bound is null."""
    return records(findings["points"].replace([-np.inf, np.inf], np.nan))


def settings(findings: Findings) -> tuple[str, ...]:
    """Policies with a threshold per exit that were found for a budget, as text that is the policy again."""
    return tuple(findings["budgets"]["setting"]) if "budgets" in findings.tables else ()


def _about(row: Row) -> str:
    test = "" if math.isnan(row["test_examples"]) else f" and {row['test_examples']:,.0f} test"
    return f"{row['sweep']}  {row['trial']} · {row['dev_examples']:,} dev{test} examples · {row['metric']}"


def _chosen(frame: pd.DataFrame) -> Iterator[tuple[Row, Row]]:
    """Targets that come to the same threshold share a row."""

    def same(row: Row) -> tuple[Any, ...]:
        return row["trial"], row["policy"], math.isnan(row["target"]), str(row["threshold"])

    for _, group in groupby(frame.to_dict("records"), key=same):
        rows = list(group)
        ends = dict.fromkeys("given" if math.isnan(row["target"]) else f"{row['target']:g}x" for row in rows)
        least, *others = ends
        target = f"{least} to {others[-1]}" if others else least
        first: Row = {"trial": rows[0]["trial"], "policy": rows[0]["policy"], "at least": target}
        yield {**first, "threshold": _threshold(rows[0])}, rows[0]


def _budgets(frame: pd.DataFrame) -> Iterator[tuple[Row, Row]]:
    exits = sorted({number for thresholds in frame["thresholds"] for number in thresholds})
    for row in frame.to_dict("records"):
        limits = {number: row["thresholds"].get(number) for number in exits}
        cells: Row = {f"exit {number}": "-" if limit is None else shortest(limit) for number, limit in limits.items()}
        yield {"trial": row["trial"], "policy": row["policy"], **cells}, row


def _threshold(row: Row) -> str:
    if math.isnan(row["threshold"]):
        return "-"
    return f"exit {row['threshold']:g}" if row["parameter"] == "exit" else shortest(row["threshold"])


def _worth(row: Row, split: str, metrics: dict[str, str]) -> Row:
    """Score and costs on one split; "-" where the policy has none there, as on test for one that needs labels."""
    metric, score, speed_up = metrics[row["trial"]], row[f"{split}_score"], row[f"{split}_speed_up"]
    names = [metric, "speed-up", "FLOPs", *(["seconds"] if f"{split}_latency_s" in row else [])]
    if math.isnan(speed_up):
        return {f"{split} {name}": "-" for name in names}
    flops = row[f"{split}_inference_flops"]
    cells = [
        "undefined" if math.isnan(score) else f"{score:.4f}",
        f"{speed_up:.2f}x",
        UNKNOWN if math.isnan(flops) else format_quantity(flops, "FLOP"),
        *([_milliseconds(row[f"{split}_latency_s"])] if "seconds" in names else []),
    ]
    return {f"{split} {name}": cell for name, cell in zip(names, cells, strict=True)}


def _milliseconds(seconds: float) -> str:
    return UNKNOWN if math.isnan(seconds) else f"{1000 * seconds:.3g} ms"
