"""Configurations, best first: mean and standard deviation over seeds, and the score of every seed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.over_seeds import FAILED, FULL, SO_FAR, STOPPED
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, GREY, INK, VERMILLION, chart, quantity
from greenexp.figures.views.channels import hover, look, lowered, number, records, titled

MOST_CONFIGURATIONS = 40
"""Rows drawn, the first of the table."""
_ROW = 22
_KINDS = {
    FULL: ("circle", BLUE), STOPPED: ("square", VERMILLION), SO_FAR: ("triangle-right", GREEN),
    FAILED: ("cross", INK),
}  # fmt: skip
_LETTERS = 34


def configuration_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.over_seeds.configurations_over_seeds`; none where no seed has a score.

    A row per configuration: a stroke at the mean, a bar of one standard deviation to each side, a mark per seed.
    """
    if findings.refusal:
        return ()
    shown = findings["configurations"].head(MOST_CONFIGURATIONS)
    seeds = findings["seeds"]
    seeds = seeds[seeds["configuration"].isin(shown["configuration"]) & seeds["score"].notna()]
    if seeds.empty:
        return ()
    y_title = titled(findings, "score").title
    names = {str(row["configuration"]): _row_name(row) for row in shown.to_dict("records")}
    rows = records(shown.assign(row=shown["configuration"].map(names), low=shown["score_mean"] - shown["score_std"],
                                high=shown["score_mean"] + shown["score_std"]))  # fmt: skip
    points = records(seeds.assign(row=seeds["configuration"].map(names)))
    spec = chart([], _layers(rows, points, list(names.values()), y_title), height=max(3, len(names)) * _ROW, width=400)
    table = seeds.merge(shown[["configuration", "state", "score_mean", "score_std"]], on="configuration")
    return (Figure("configurations", f"{y_title} of every seed", _alt(shown, seeds, y_title), spec, table),)


def _row_name(row: dict[Any, Any]) -> str:
    """`1  c003 (2 seeds)`, with the state where it is not complete."""
    seeds = f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
    state = "" if row["state"] == "complete" else f", {row['state']}"
    return f"{row['configuration']} ({seeds}{state})"


def _layers(
    rows: list[dict[str, Any]], points: list[dict[str, Any]], names: list[str], title: str
) -> list[dict[str, Any]]:
    x = quantity("score", title)
    y = {"field": "row", "type": "nominal", "title": None, "sort": names,
         "axis": {"grid": True, "ticks": False, "labelLimit": 240, "labelOverlap": False}}  # fmt: skip
    of_row = hover(
        ("configuration", "Configuration"), ("settings", "Settings"), ("state", "State"), ("seeds", "Seeds"),
        ("score_mean", "Mean"), ("score_std", "Standard deviation"), ("reason", "Remark"),
        formats={"score_mean": ".4f", "score_std": ".4f"},
    )  # fmt: skip
    of_seed = hover(
        ("trial", "Trial"), ("settings", "Settings"), ("score", "Score"), ("kind", "How it ended"),
        ("epochs", "Epochs trained"), ("best_epoch", "Best epoch"), ("initialisation_seed", "Initialisation seed"),
        ("order_seed", "Data-order seed"), ("reason", "Remark"), formats={"score": ".4f"},
    )  # fmt: skip
    means = [row for row in rows if row["score_mean"] is not None]
    spread = [row for row in means if row["score_std"] is not None]
    kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in points)]
    looks = {
        "shape": look("kind", kinds, [_KINDS[kind][0] for kind in kinds], "Seed"),
        "color": look("kind", kinds, [_KINDS[kind][1] for kind in kinds], "Seed"),
    }
    bar = {"type": "rule", "color": GREY, "strokeWidth": 5, "opacity": 0.45}
    stroke = {"type": "tick", "color": INK, "thickness": 2.5, "size": 16}
    point = {"type": "point", "filled": True, "size": 55, "opacity": 0.8}
    layers: list[dict[str, Any]] = [
        {"data": {"values": spread}, "mark": bar,
         "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "tooltip": of_row}},
        {"data": {"values": means}, "mark": stroke, "encoding": {"x": {**x, "field": "score_mean"}, "y": y,
                                                                 "tooltip": of_row}},
        {"data": {"values": points}, "mark": point, "encoding": {"x": x, "y": y, "tooltip": of_seed, **looks}},
    ]  # fmt: skip
    return [layer for layer in layers if layer["data"]["values"]]


def _alt(shown: pd.DataFrame, seeds: pd.DataFrame, title: str) -> str:
    """The first and the last configuration with a mean."""
    known = shown.dropna(subset=["score_mean"])
    parts = []
    for _, row in known.iloc[[0, -1]].drop_duplicates("configuration").iterrows() if len(known) else ():
        spread = "" if pd.isna(row["score_std"]) else f" ± {row['score_std']:.2g}"
        parts.append(f"{row['configuration']} {number(row['score_mean'])}{spread} ({row['seeds']} seeds)")
    means = f": first and last mean {' and '.join(parts)}" if parts else ", none of which has a mean yet"
    return f"Marks of {lowered(title)}, {len(seeds)} seeds in rows of {len(shown)} configurations{means}."
