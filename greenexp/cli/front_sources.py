"""Where the points of `greenexp front` come from: a table in a file, a sweep, or anybody's MLflow runs."""

from __future__ import annotations

from greenexp.cli.front_points import OWN_ROW, PointTable
from greenexp.records.scores import GROUP
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.scores import read_scores


def read_points(
    source: str,
    score: str | None,
    cost: str | None,
    by: str | None,
    trial: str | None,
    *,
    minimize: bool,
    query: str | None = None,
) -> PointTable:
    """The points at `source`: a file by its suffix, a sweep's folder, or, with `score`, runs at an MLflow address."""
    request = ScoreRequest(score=score, cost=cost, by=by, trial=trial, minimize=minimize, query=query or "")
    scores = read_scores(source, request, View.POINTS)
    frame = scores.frame.rename(columns={GROUP: "by"})
    seeds = [frame[name].astype(str) for name in scores.seeds]
    frame["seed"] = seeds[0].str.cat(seeds[1:], sep="-") if seeds else ""
    return PointTable(
        frame=frame,
        score=scores.score,
        cost=str(scores.cost),
        by=scores.by,
        minimize=scores.minimize,
        labels=scores.labels,
        trials=scores.trials or OWN_ROW,
        nested=scores.nested,
        no_search=scores.not_random,
        notes=scores.notes,
    )
