"""The study of fronts, drawn: a step line per group through the points on its Pareto front."""

from __future__ import annotations

from greenexp.analysis.findings import Findings
from greenexp.figures.comparison import Channel, comparison_figure
from greenexp.figures.figure import Figure
from greenexp.records.scores import Scores

_COSTS = {"inference_flops": "Inference FLOPs per example", "mean_layers": "Layers per example"}
"""Cost of a sweep's operating points -> its name on an axis; a column of a table keeps its own."""


def group_front_figures(findings: Findings, scores: Scores) -> tuple[Figure, ...]:
    """The figure of `analysis.fronts.study.front_study`; none where there is no front."""
    if findings.refusal:
        return ()
    front = findings["front"].drop_duplicates(["by", "cost", "score"]).rename(columns={"by": "group"})
    cost = _COSTS.get(str(scores.cost), str(scores.cost))
    across, up = Channel("cost", f"{cost}, at most"), Channel("score", scores.score)
    title = f"Pareto fronts of {scores.score} against {cost}"
    return (comparison_figure("pareto-fronts", title, front[["group", "cost", "score"]], across, up, {}, step=True),)
