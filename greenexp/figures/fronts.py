"""Fronts of several trials: their expected hypervolume over the number of trials, and which front how many attain."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit, whole_ticks
from greenexp.figures.style import BLUE, GREEN, GREY, VERMILLION, chart, quantity
from greenexp.units import format_quantity

_COLOURS, _DASHES = (VERMILLION, BLUE, GREEN), ([2, 3], [1, 0], [8, 4])
"""Of the curves that the fewest, and more, trials attain."""


def front_over_trials_figure(curve: pd.DataFrame, per_seed: pd.DataFrame, label: tuple[str, str]) -> Figure:
    """The mean over seeds with a diamond at every n, and a thin grey line per seed if there are several.

    curve: trials (n), value; per_seed: seed, trials, value; both as `analysis.fronts.front_over_trials` gives them, at
    least one row; label: what `value` is, on two lines.
    """
    x = quantity("trials", "Trials, each of another configuration")
    x["axis"], x["scale"] = whole_ticks(curve["trials"]), {"zero": False, "nice": False}
    y = quantity("value", list(label))
    what = " ".join(label)
    several = len(set(per_seed["seed"])) > 1
    table = pd.concat([curve.assign(seed="mean"), *([per_seed] if several else [])], ignore_index=True)
    data = [
        {"trials": int(n), "value": float(value), "seed": str(seed)}
        for n, value, seed in zip(table["trials"], table["value"], table["seed"], strict=True)
    ]
    mean, single = [{"filter": "datum.seed === 'mean'"}], [{"filter": "datum.seed !== 'mean'"}]
    encoding = {"x": x, "y": y}
    layers: list[dict[str, Any]] = [
        {"transform": single, "mark": {"type": "line", "color": GREY, "strokeWidth": 1, "opacity": 0.8},
         "encoding": {**encoding, "detail": {"field": "seed"}}},
        {"transform": mean, "mark": {"type": "line", "color": VERMILLION, "strokeWidth": 2}, "encoding": encoding},
        {"transform": mean, "mark": {"type": "point", "shape": "diamond", "filled": True, "color": VERMILLION,
                                     "size": 60, "opacity": 1}, "encoding": encoding},
    ]  # fmt: skip
    first, last = curve.iloc[0], curve.iloc[-1]
    over = f", mean over {len(set(per_seed['seed']))} seeds with a thin line for each" if several else ""
    alt = (
        f"Curve of the expected {what[0].lower()}{what[1:]} over the number of trials{over}: {first['value']:.4f} "
        f"for {int(first['trials'])}, {last['value']:.4f} for {int(last['trials'])}."
    )
    return Figure("front-over-trials", "Expected front over the number of trials", alt, chart(data, layers), table)


def attainment_figure(curves: pd.DataFrame, trials: int, configuration: str, metric: SweepMetric) -> Figure:
    """A step line per number of trials that attain it, told apart by colour and dash; three at most.

    curves: trials (how many attain it), inference_flops, score: the corners, cheapest first, and where the drawing
    ends; trials: how many there are.
    """
    levels = [int(k) for k in dict.fromkeys(curves["trials"])]
    names = {k: _name(k, trials) for k in levels}
    divisor, unit = axis_unit("FLOP", float(curves["inference_flops"].max()))
    data = [
        {"flops": flops / divisor, "score": float(score), "level": names[int(k)]}
        for k, flops, score in zip(curves["trials"], curves["inference_flops"], curves["score"], strict=True)
    ]
    x = quantity("flops", f"Inference cost per example ({unit}), at most")
    x["scale"] = {"zero": True, "nice": True}
    y = quantity("score", f"dev {metric.name}, at {'most' if metric.minimize else 'least'}")
    legend = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}
    looks = (("color", _COLOURS), ("strokeDash", _DASHES))
    look = {
        channel: {"field": "level", "type": "nominal", "title": None, "legend": legend,
                  "scale": {"domain": list(names.values()), "range": list(values[: len(levels)])}}
        for channel, values in looks
    }  # fmt: skip
    mark = {"type": "line", "interpolate": "step-after", "strokeWidth": 2}
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": {"x": x, "y": y, **look}}]
    parts = []
    for k in levels:
        rows = curves[curves["trials"] == k]
        first, last = rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{names[k]} from {first['score']:.4f} at {format_quantity(float(first['inference_flops']), 'FLOP')} "
            f"to {last['score']:.4f}"
        )
    what = f"Step lines of dev {metric.name} against inference FLOPs that seeds of {configuration} attain"
    return Figure(
        "attainment",
        f"Fronts that seeds of {configuration} attain",
        f"{what}: {'; '.join(parts)}.",
        chart(data, layers),
        curves,
    )


def _name(k: int, trials: int) -> str:
    return (
        "the one seed" if trials == 1 else f"all {trials} seeds" if k == trials else f"at least {k} of {trials} seeds"
    )
