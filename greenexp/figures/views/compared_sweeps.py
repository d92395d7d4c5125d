"""Best so far of several sweeps over one budget axis: a figure for each group that can be compared."""

from __future__ import annotations

from greenexp.analysis.findings import Findings
from greenexp.figures.comparison import MOST_GROUPS, Channel, comparison_figure
from greenexp.figures.figure import Figure
from greenexp.figures.views.channels import hover, lowered, titled

MOST_NAMED = 3
"""Sweeps in the title of a figure."""


def compared_sweep_figures(findings: Findings) -> tuple[Figure, ...]:
    """Figures of `analysis.views.compared_sweeps.compared_sweeps`, of at most `MOST_GROUPS` sweeps each."""
    if findings.refusal or findings["incumbent"].empty:
        return ()
    cost = titled(findings, "cost")
    sweeps = findings["sweeps"].set_index("sweep")
    incumbent = findings["incumbent"].dropna(subset=["score"])
    figures = []
    for number, rows in incumbent.groupby("group", sort=True):
        names = list(dict.fromkeys(rows["sweep"]))[:MOST_GROUPS]
        divisor, across = cost.scaled(rows["cost"].tolist())
        of = sweeps.loc[names[0]]
        table = rows.assign(group=rows["sweep"], shown=rows["cost"] / divisor)
        ends = {name: f"{sweeps.loc[name, 'planned']} trials" for name in names}
        score = f"Best dev {of['metric']} of a trial on {of['task']}"
        figure = comparison_figure(
            f"compared-sweeps-{number}", f"Best so far over {lowered(cost.title)}: {_listed(names)}", table,
            Channel("shown", f"{across}, all trials together"), Channel("score", score), ends, step=True,
        )  # fmt: skip
        figures.append(figure)
    return tuple(_with_tooltips(figure, score_title="Best so far", cost_title=cost.title) for figure in figures)


def _listed(names: list[str]) -> str:
    """The sweeps of a figure, which are in no other one, for its title."""
    more = len(names) - MOST_NAMED
    return f"{', '.join(names[:MOST_NAMED])}{f' and {more} more' if more > 0 else ''}"


def _with_tooltips(figure: Figure, *, score_title: str, cost_title: str) -> Figure:
    """The same figure whose lines name their sweep, cost and score on hover."""
    tooltip = hover(("group", "Sweep"), ("x", cost_title), ("y", score_title), formats={"x": ".4g", "y": ".4f"})
    layers = [
        {**layer, "encoding": {**layer["encoding"], "tooltip": tooltip}} if layer["mark"]["type"] == "line" else layer
        for layer in figure.spec["layer"]
    ]
    return Figure(figure.name, figure.title, figure.alt, {**figure.spec, "layer": layers}, figure.table)
