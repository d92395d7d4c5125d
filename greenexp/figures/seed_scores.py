"""The study of seeds, drawn: the scores of single seeds, a row of dots per configuration or group."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.figures.figure import Figure
from greenexp.figures.seeds import seeds_figure
from greenexp.records.scores import CONFIGURATION, GROUP, SCORE, TRIAL, Scores


def seed_score_figures(findings: Findings, scores: Scores) -> tuple[Figure, ...]:
    """The figure of `analysis.seeds.study.seed_study`: a row per group, or without groups per configuration."""
    trials = scores.frame.dropna(subset=[SCORE])
    if findings.refusal or trials.empty:
        return ()
    name = CONFIGURATION if scores.by is None else GROUP
    means = trials.groupby(name, sort=False)[SCORE].mean().sort_values(ascending=scores.minimize, kind="stable")
    place = {row: rank for rank, row in enumerate(means.index)}
    columns = {"trial": trials[TRIAL], "configuration": trials[name], "score": trials[SCORE], "status": "finished"}
    table = pd.DataFrame({**columns, "mean": trials[name].map(means)})
    ordered = table.sort_values("configuration", key=lambda names: names.map(place), kind="stable", ignore_index=True)
    return (seeds_figure(ordered, scores.score),)
