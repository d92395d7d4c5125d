"""Studies of scores from any source: a table, a data frame, MLflow runs, a sweep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from greenexp.analysis.comparing.options import ComparisonOptions
from greenexp.analysis.comparing.study import comparison_study
from greenexp.analysis.curves.bands import Method
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.study import curve_study
from greenexp.analysis.findings import Findings
from greenexp.figures.compared_groups import compared_groups_figures
from greenexp.figures.tuning_curves import tuning_curve_figures
from greenexp.sources.request import ScoreRequest
from greenexp.sources.scores import Sources, read_scores


def curve(
    source: Sources,
    *,
    score: str | None = None,
    cost: str | None = None,
    by: str | None = None,
    test: str | None = None,
    where: Mapping[str, str] | None = None,
    query: str = "",
    minimize: bool = False,
    budgets: Sequence[float] | None = None,
    estimator: str | float = "unbiased",
    confidence: float = 0.95,
    band: Method = "equal_local_levels",
    support: tuple[float, float] | None = None,
    best_so_far: bool = False,
    extrapolate: Sequence[float] = (),
    bootstrap: bool = False,
    mean_cost: bool = False,
    seed: int = 0,
) -> Findings:
    """The tuning curve of each group of scores: the best score of n trials, or of what a cost pays for.

    >>> import greenexp, pandas as pd
    >>> scores = [0.71, 0.74, 0.68, 0.77, 0.73, 0.75, 0.70, 0.76, 0.72, 0.78, 0.69, 0.73]
    >>> trials = pd.DataFrame({"model": ["a", "b"] * 6, "accuracy": scores})
    >>> findings = greenexp.curve(trials, score="accuracy", by="model")
    >>> findings["curve"].query("n == 2").set_index("by")["estimate"].round(4).to_dict()
    {'a': 0.7167, 'b': 0.7667}

    Parameters
    ----------
    source : path, data frame, SweepTables, Scores, address of MLflow, or several of these, required
        Where the scores are; see `sources.scores.read_scores`.
    score, cost, by, test : str, optional
        Columns of the scores, of what each trial cost, of the groups, and of test scores; of MLflow runs such as
        `metrics.acc`. Of a sweep, `cost` is a budget axis, `by` a searched field, and the other two are not named.
    where : mapping, optional
        Column -> value: only these rows of a table.
    query : str, default ""
        Only MLflow runs that match this filter, in MLflow's language.
    minimize : bool, default False
        A smaller score is better.
    budgets : sequence of floats, optional
        Numbers of trials, or amounts of the cost in its unit. By default round numbers, or amounts in equal ratios.
    estimator : str or float, default "unbiased"
        `unbiased` or `biased` (expected best, without or with replacement), `median`, or a quantile in (0, 1).
    confidence : float in (0, 1), default 0.95
        Of the band, at all budgets together.
    band : str, default "equal_local_levels"
        How the band is made; see `analysis.curves.bands`.
    support : pair of floats, optional
        The smallest and the largest score there can be.
    best_so_far : bool, default False
        Also what this search had in hand, in the order of its trials.
    extrapolate : sequence of floats, default ()
        Numbers of trials beyond those made, by a model of the best scores, each with its back-test.
    bootstrap : bool, default False
        Also percentile bootstrap intervals, which cover less than they say.
    mean_cost : bool, default False
        Put n trials at n times the mean cost, as others do; with `cost`.
    seed : int, default 0
        The random seed of what is simulated or resampled.

    Returns
    -------
    Findings
        As of `analysis.curves.study.curve_study`, with figures.

    Raises
    ------
    InputError
        For what is wrong with the source, with its place, and for options that are not possible.
    TrackingError
        For what MLflow does not have.

    """
    request = ScoreRequest(
        score=score, cost=cost, by=by, test=test, where=dict(where or {}), query=query, minimize=minimize
    )
    options = CurveOptions(
        budgets=None if budgets is None else tuple(budgets),
        estimator=estimator,
        confidence=confidence,
        band=band,
        support=support,
        best_so_far=best_so_far,
        extrapolate=tuple(extrapolate),
        bootstrap=bootstrap,
        mean_cost=mean_cost,
        seed=seed,
    )
    scores = read_scores(source, request)
    findings = curve_study(scores, options)
    return dataclasses.replace(findings, figures=tuning_curve_figures(findings, scores))


def compare(
    source: Sources,
    *,
    score: str | None = None,
    cost: str | None = None,
    by: str | None = None,
    where: Mapping[str, str] | None = None,
    query: str = "",
    minimize: bool = False,
    budgets: Sequence[float] | None = None,
    estimator: str | float = "median",
    confidences: Sequence[float] = (0.8, 0.95),
    band: Method = "equal_local_levels",
    support: tuple[float, float] | None = None,
    target: float | None = None,
    seed: int = 0,
) -> Findings:
    """Groups of scores pair by pair, at equal trials or at equal cost: which one is better, and how sure that is.

    >>> import greenexp, pandas as pd
    >>> scores = [0.71, 0.74, 0.68, 0.77, 0.73, 0.75, 0.70, 0.76, 0.72, 0.78, 0.69, 0.73]
    >>> trials = pd.DataFrame({"model": ["a", "b"] * 6, "accuracy": scores})
    >>> findings = greenexp.compare(trials, score="accuracy", by="model")
    >>> findings.verdict[0]
    'Best estimate by the median best of n trials: b for n = 1 to 6.'

    Parameters
    ----------
    source : as of `curve`, required
        Of several sources the groups are named after them.
    score, cost, by, where, query, minimize, band, support, seed
        As of `curve`.
    budgets : sequence of floats, optional
        At which pairs are compared. By default round numbers of trials up to half those of the smallest group, or
        amounts of the cost in equal ratios.
    estimator : str or float, default "median"
        Of the curves: `median`, a quantile in (0, 1), or an expectation, `unbiased` or `biased`.
    confidences : sequence of floats in (0, 1), default (0.8, 0.95)
        Of the bands of a difference, at all budgets together; the level of tests is 1 minus the greatest.
    target : float, optional
        Also what it takes each group to find a score this good.

    Returns
    -------
    Findings
        As of `analysis.comparing.study.comparison_study`, with figures.

    Raises
    ------
    InputError
        For what is wrong with a source, with its place, and for options that are not possible.
    TrackingError
        For what MLflow does not have.

    """
    request = ScoreRequest(score=score, cost=cost, by=by, where=dict(where or {}), query=query, minimize=minimize)
    options = ComparisonOptions(
        budgets=None if budgets is None else tuple(budgets),
        estimator=estimator,
        confidences=tuple(sorted(set(confidences))),
        band=band,
        support=support,
        target=target,
        seed=seed,
    )
    scores = read_scores(source, request)
    findings = comparison_study(scores, options)
    return dataclasses.replace(findings, figures=compared_groups_figures(findings, scores))
