"""Score of every exit."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.style import GREY, VERMILLION, chart, quantity

MOST_TRIALS = 40
"""Lines drawn; more only make a grey band."""
_COLOURS = {True: VERMILLION, False: GREY}
_SHAPES = {True: "triangle-up", False: "circle"}


def exits_figure(points: pd.DataFrame, highlighted: str, metric: SweepMetric) -> Figure:
    """A line over the exits for every trial; those of the configuration `highlighted` thick, with triangles.

    points: trial, configuration, exit, layer, score; one row per trial and exit, the trials to be preferred first,
    at least one with a score. `highlighted` may be a name that does not occur.
    """
    known = points.dropna(subset=["score"])
    trials = list(dict.fromkeys(known["trial"]))[:MOST_TRIALS]
    drawn = known[known["trial"].isin(trials) | (known["configuration"] == highlighted)]
    best = f"seeds of {highlighted}"
    data = [
        {"trial": trial, "exit": int(exit_number), "score": float(score),
         "kind": best if configuration == highlighted else "other trials"}
        for trial, configuration, exit_number, score in zip(
            drawn["trial"], drawn["configuration"], drawn["exit"], drawn["score"], strict=True)
    ]  # fmt: skip
    kinds = [kind for kind in (best, "other trials") if any(row["kind"] == kind for row in data)]
    x = {"field": "exit", "type": "ordinal", "title": "Exit", "axis": {"labelAngle": 0}}
    y = quantity("score", f"dev {metric.name} of the exit")
    color = {
        "field": "kind",
        "type": "nominal",
        "title": None,
        "scale": {"domain": kinds, "range": [_COLOURS[kind == best] for kind in kinds]},
    }
    shape = {"field": "kind", "type": "nominal", "title": None,
             "scale": {"domain": kinds, "range": [_SHAPES[kind == best] for kind in kinds]}}  # fmt: skip
    layers = []
    for kind, width, size, opacity in (("other trials", 1, 15, 0.6), (best, 2.5, 90, 1)):
        if kind not in kinds:
            continue
        layers += [
            {"transform": [{"filter": {"field": "kind", "equal": kind}}],
             "mark": {"type": "line", "strokeWidth": width, "opacity": opacity},
             "encoding": {"x": x, "y": y, "color": color, "detail": {"field": "trial"}}},
            {"transform": [{"filter": {"field": "kind", "equal": kind}}],
             "mark": {"type": "point", "filled": True, "size": size, "opacity": opacity},
             "encoding": {"x": x, "y": y, "color": color, "shape": shape}},
        ]  # fmt: skip
    spec = chart(data, layers)
    return Figure("exits", "Score of every exit", _alt(drawn, highlighted, metric), spec, drawn)


def _alt(drawn: pd.DataFrame, highlighted: str, metric: SweepMetric) -> str:
    """Means of the highlighted configuration if it is drawn, else of all trials."""
    chosen = drawn[drawn["configuration"] == highlighted]
    who = f"the seeds of {highlighted}" if len(chosen) else "all trials drawn"
    means = (chosen if len(chosen) else drawn).groupby("exit")["score"].mean()
    lines = drawn["trial"].nunique()
    return (
        f"{lines} {'line' if lines == 1 else 'lines'} of dev {metric.name} over the exits; on average over {who}, "
        f"{means.iloc[0]:.4f} at exit {means.index[0]} and {means.iloc[-1]:.4f} at exit {means.index[-1]}."
    )
