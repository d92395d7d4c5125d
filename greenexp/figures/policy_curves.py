"""Score against price, a line per exit policy."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit
from greenexp.figures.style import BLUE, GREEN, GREY, INK, VERMILLION, chart, quantity
from greenexp.records.policies import STATIC
from greenexp.units import format_quantity

MOST_POLICIES = 8
"""Lines of policies drawn, bounds not counted; there is no telling more of them apart."""
ALONE = "one exit for all"
BOUND = "bound, not a policy"
_COLOURS = (BLUE, VERMILLION, GREEN, INK)
_DASHES = ([1, 0], [8, 4], [2, 3], [10, 3, 2, 3])
_BOUND_DASH = [4, 4]
_TITLES = {
    "speed_up": "Speed-up, layers / mean layers used (at least)",
    "inference_flops": "Inference FLOPs per example (at most",
}


def policy_curves_figure(curves: pd.DataFrame, alone: pd.DataFrame, price: str, metric: SweepMetric) -> Figure:
    """A step line per policy, the oracle's dashed in grey, and a square for every exit used alone.

    curves: as `analysis.exits.policy_curves` gives them for that price, the policies to be preferred first, at least
    one row;
    alone: as `analysis.static_points` gives them. Steps say less rather than more: between two targets stands the score
    at the harder one.
    """
    bounds = is_bound(curves["policy"])
    policies = [str(name) for name in dict.fromkeys(curves.loc[~bounds, "policy"])][:MOST_POLICIES]
    drawn = curves[bounds | curves["policy"].isin(policies)]
    names = {name: name for name in policies} | {
        str(name): f"{name} ({BOUND})" for name in dict.fromkeys(curves.loc[bounds, "policy"])
    }
    table = _table(drawn, alone, price)
    is_flops = price == "inference_flops"
    divisor, unit = axis_unit("FLOP", float(table[price].max())) if is_flops else (1.0, "")
    data = [
        {"price": at / divisor, "score": score, "policy": ALONE if exit_number else names[policy]}
        for at, score, policy, exit_number in zip(
            table[price], table["score_mean"], table["policy"], table["exit"].notna(), strict=True)
    ]  # fmt: skip
    title = f"{_TITLES[price]}, {unit})" if is_flops else _TITLES[price]
    layers = _layers(names, policies, title, metric, has_alone=len(alone) > 0, step="after" if is_flops else "before")
    name = f"policies-{price.replace('_', '-')}"
    what = "inference FLOPs" if is_flops else "speed-up"
    return Figure(
        name, f"Score of every exit policy against {what}", _alt(drawn, metric, what), chart(data, layers), table
    )


def _table(curves: pd.DataFrame, alone: pd.DataFrame, price: str) -> pd.DataFrame:
    """Everything drawn: rows of curves, then exits used alone, which have a number in `exit`."""
    columns = ["policy", "exit", price, "trials", "score_mean", "score_std"]
    parts = [curves.rename(columns={"price": price}).assign(exit=float("nan")), alone.assign(policy=STATIC)]
    return pd.concat([part[columns].astype({"exit": "Int64"}) for part in parts if len(part)], ignore_index=True)


def _layers(
    names: dict[str, str], policies: list[str], title: str, metric: SweepMetric, *, has_alone: bool, step: str
) -> list[dict[str, Any]]:
    lines = list(names.values())
    colours = [_COLOURS[k % 4] for k in range(len(policies))] + [GREY] * (len(lines) - len(policies))
    # Shifted by one in the second round, so that no two policies share colour and dash.
    dashes = [_DASHES[(k + k // 4) % 4] for k in range(len(policies))] + [_BOUND_DASH] * (len(lines) - len(policies))
    x = quantity("price", title)
    y = quantity("score", f"dev {metric.name}, mean over seeds")
    legend = {"columns": 2, "symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}
    color = {"field": "policy", "type": "nominal", "title": None, "legend": legend,
             "scale": {"domain": lines, "range": colours}}  # fmt: skip
    dash = {"field": "policy", "type": "nominal", "title": None, "legend": legend,
            "scale": {"domain": lines, "range": dashes}}  # fmt: skip
    mark = {"type": "line", "interpolate": f"step-{step}", "strokeWidth": 2}
    layers: list[dict[str, Any]] = [
        {"transform": [{"filter": {"field": "policy", "oneOf": lines}}], "mark": mark,
         "encoding": {"x": x, "y": y, "color": color, "strokeDash": dash}}
    ]  # fmt: skip
    if has_alone:
        shape = {"field": "policy", "type": "nominal", "title": None, "legend": {"orient": "bottom", "offset": 4},
                 "scale": {"domain": [ALONE], "range": ["square"]}}  # fmt: skip
        layers.append(
            {"transform": [{"filter": {"field": "policy", "equal": ALONE}}],
             "mark": {"type": "point", "size": 70, "stroke": INK, "strokeWidth": 1.5, "fill": "#ffffff", "opacity": 1},
             "encoding": {"x": x, "y": y, "shape": shape}}
        )  # fmt: skip
    return layers


def _alt(drawn: pd.DataFrame, metric: SweepMetric, what: str) -> str:
    """First and last point of every line."""
    parts = []
    for policy, rows in drawn.groupby("policy", sort=False):
        first, last = rows.iloc[0], rows.iloc[-1]
        ends = [
            f"{row['score_mean']:.4f} at {_price(float(row['price']), what)}"
            for row in ([first] if len(rows) == 1 else [first, last])
        ]
        bound = f" ({BOUND})" if is_bound(pd.Series([policy])).iloc[0] else ""
        parts.append(f"{policy}{bound} {' to '.join(ends)}")
    return f"Step lines of dev {metric.name} against {what}, one per exit policy: {'; '.join(parts)}."


def _price(value: float, what: str) -> str:
    return f"{value:.2f}×" if what == "speed-up" else format_quantity(value, "FLOP")
