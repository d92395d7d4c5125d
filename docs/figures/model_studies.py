"""The figures of two studies of models: static baselines beside early exit, and pre-training with exits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pandas as pd
from drawings import Axis, Layout, Points, series_look
from page_tables import numbers, page_table

from greenexp.figures.figure import Figure
from greenexp.figures.style import INK, chart

_STATIC, _PRETRAINING = "results/static.md", "results/pretraining.md"
_SPEED_UPS = ("1.5x", "2x")
STATIC = "static"
_FIRST, _LAST = 0.33, 1.05
"""From where to where FLOPs per example are drawn, as parts of the largest ones."""


def mean_and_sd(cell: str) -> tuple[float, float]:
    """`81.65 ± 0.13` -> (81.65, 0.13); of one seed the deviation is 0, so that no interval is drawn."""
    read = numbers(cell)
    return read[0], read[1] if len(read) > 1 else 0.0


def static_front(task: str, backbone: str, least: float) -> Figure:
    """Scores of a task over FLOPs: static models as points, each early-exit method as a line by the policy entropy."""
    mark = f"## Results: {task}, `{backbone}`"
    whole = page_table(_STATIC, mark, first="configuration")
    early = page_table(_STATIC, mark, first="method")
    rows = list(_static_rows(whole, set(early["method"]))) + list(_early_rows(whole, early))
    shown = pd.DataFrame([row for row in rows if row["value"] >= least])
    static = shown[shown["series"] == STATIC]
    best = static[_on_front(static)].sort_values("flops")
    hidden = [f"{row['name']} ({row['value']:.1f})" for row in rows if row["value"] < least]
    above = ", ".join(f"{row.name_} {row.value:.1f}" for row in best.rename(columns={"name": "name_"}).itertuples())
    lines = "; ".join(
        f"{name}: " + ", ".join(f"{row.value:.1f} at {row.flops:.0f}" for row in rows_.itertuples())
        for name, rows_ in shown[shown["series"] != STATIC].groupby("series", sort=False)
    )
    alt = (
        f"Dev score of {backbone} on {task} over MFLOP per example, means over seeds with one standard deviation. "
        f"Static models that no other one beats, from the cheapest: {above}. Early exit by the policy entropy: {lines}."
    )
    if hidden:
        alt += f" Not drawn, below {least:g} points: {', '.join(hidden)}."
    labelled = shown.assign(label=shown["name"].where(shown.index.isin(best.index), ""))
    spec = _scatter(labelled, least)
    name = f"static-front-{task.lower()}-{backbone.partition('-')[0]}"
    return Figure(name, f"Static models and early exit, {task}, {backbone}", alt, spec, labelled)


def _static_rows(table: pd.DataFrame, methods: set[str]) -> Iterator[dict[str, Any]]:
    for row in table.to_dict("records"):
        if row["configuration"] in methods:
            continue
        mean, sd = mean_and_sd(row["score"])
        flops = numbers(row["MFLOP per example"])[0]
        yield {"name": row["configuration"], "series": STATIC, "flops": flops, "value": mean, "lower": mean - sd,
               "upper": mean + sd}  # fmt: skip


def _early_rows(whole: pd.DataFrame, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in table[table["policy"] == "entropy"].to_dict("records"):
        last = whole[whole["configuration"] == row["method"]].iloc[0]
        cells = [(row[f"score, {up}"], row[f"MFLOP, {up}"]) for up in reversed(_SPEED_UPS)]
        for score, flops in [*cells, (last["score"], last["MFLOP per example"])]:
            if score == "-":
                continue
            mean, sd = mean_and_sd(score)
            yield {"name": row["method"], "series": f"{row['method']}, leaving early", "flops": numbers(flops)[0],
                   "value": mean, "lower": mean - sd, "upper": mean + sd}  # fmt: skip


def _on_front(table: pd.DataFrame) -> pd.Series:
    """Whether no other row costs at most as much and scores better, or costs less and scores as well."""
    costs, scores = table["flops"].to_numpy(), table["value"].to_numpy()
    no_worse = (costs[None, :] <= costs[:, None]) & (scores[None, :] >= scores[:, None])
    better = (costs[None, :] < costs[:, None]) | (scores[None, :] > scores[:, None])
    beaten = (no_worse & better).any(axis=1)
    return ~pd.Series(beaten, index=table.index)


def _scatter(table: pd.DataFrame, least: float) -> dict[str, Any]:
    names = list(dict.fromkeys(table["series"]))
    look = series_look(names)
    least_flops, most_flops = float(table["flops"].min()), float(table["flops"].max())
    first, last = (round(part / 5) * 5.0 for part in (min(_FIRST * most_flops, 0.95 * least_flops), _LAST * most_flops))
    x = Axis("MFLOP per example", (first, last)).channel("flops")
    y = Axis("Dev score (points), ± 1 standard deviation", (least, float(table["upper"].max()) + 0.5))
    value = y.channel("value")
    ends = {"y": y.channel("lower"), "y2": {"field": "upper"}}
    line = {"type": "line", "strokeWidth": 2}
    text = {"type": "text", "align": "right", "dx": -8, "dy": -6, "fontSize": 12, "color": INK}
    layers = [
        {"mark": {"type": "rule", "opacity": 0.5, "clip": True}, "encoding": {"x": x, **ends, "color": look["color"]}},
        {"mark": line, "encoding": {"x": x, "y": value, "color": look["color"]},
         "transform": [{"filter": f"datum.series != '{STATIC}'"}]},
        {"mark": {"type": "point", "filled": True, "size": 60, "opacity": 1}, "encoding": {"x": x, "y": value, **look}},
        {"mark": text, "encoding": {"x": x, "y": value, "text": {"field": "label", "type": "nominal"}}},
    ]  # fmt: skip
    return chart(table.to_dict("records"), layers, width=600, height=340)


def pretraining_exits(task: str) -> Figure:
    """Score of every exit after fine-tuning, by how the encoder was pre-trained."""
    table = page_table(_PRETRAINING, f"## Results: {task}", first="encoder")
    exits = [column for column in table.columns if column.startswith("exit ")]
    rows = [
        {"row": column, "series": row["encoder"], "value": mean, "lower": mean - sd, "upper": mean + sd}
        for column in exits
        for row in table.to_dict("records")
        for mean, sd in [mean_and_sd(row[column])]
    ]
    means = "; ".join(
        f"{row['encoder']}: {', '.join(f'{mean_and_sd(row[column])[0]:.1f}' for column in exits)}"
        for row in table.to_dict("records")
    )
    alt = (
        f"Dev score of each exit on {task} after fine-tuning, means over five seeds with one standard deviation. "
        f"{means}."
    )
    drawing = Points(rows, Axis("Dev score (points), ± 1 standard deviation"), Layout(width=420, row=24))
    return drawing.figure(f"pretraining-exits-{task.lower()}", f"Exits of pre-trained encoders, {task}", alt)


FIGURES: dict[str, Callable[[], Figure]] = {
    "static-front-sst-2-minilm": partial(static_front, "SST-2", "minilm-l6", 74.0),
    "static-front-sst-2-gte": partial(static_front, "SST-2", "gte-small", 70.0),
    "static-front-mrpc-minilm": partial(static_front, "MRPC", "minilm-l6", 74.0),
    "static-front-mrpc-gte": partial(static_front, "MRPC", "gte-small", 74.0),
    "pretraining-exits-sst-2": partial(pretraining_exits, "SST-2"),
}
"""Name of a figure -> what draws it from the tables of its page."""
