"""Trials with their configuration and seeds, wherever they are recorded: what `greenexp seeds` computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from greenexp.records.scores import GROUP
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.scores import read_scores

CONFIGURATION, SCORE, BY = "configuration", "score", "by"


@dataclass(frozen=True, eq=False)
class SeedTable:
    """Trials with a score, and how to read them.

    trials: CONFIGURATION, SCORE, BY (`all` if nothing was asked), and the columns `seeds`; every score is finite
    score, by: what they are, for headings; minimize: a smaller score is better
    shared: a seed is the same thing in every configuration
    notes: what must be known of them, one sentence each
    """

    trials: pd.DataFrame
    seeds: tuple[str, ...]
    score: str
    by: str | None
    minimize: bool
    shared: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The names of columns, and rows to keep by the value of others."""

    score: str | None
    configuration: str | None
    seeds: tuple[str, ...]
    by: str | None
    where: Mapping[str, str]


def read_seeds(source: str, columns: Columns, *, minimize: bool, paired: bool, query: str | None) -> SeedTable:
    """The trials at `source`; paired: equal seeds are one and the same thing to all."""
    request = ScoreRequest(
        score=columns.score,
        configuration=columns.configuration,
        seeds=columns.seeds,
        by=columns.by,
        where=columns.where,
        minimize=minimize,
        shared_seeds=paired,
        query=query or "",
    )
    scores = read_scores(source, request, View.TRIALS)
    trials = scores.frame.rename(columns={GROUP: BY})
    return SeedTable(trials, scores.seeds, scores.score, scores.by, scores.minimize, scores.shared_seeds, scores.notes)
