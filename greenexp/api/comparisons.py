"""Studies of what scores are compared by: seeds, costs, and early stopping."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from greenexp.analysis.comparing.lead_of_sweep import lead_study
from greenexp.analysis.elue.line import Outside
from greenexp.analysis.elue.of_scores import line_to_line
from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.attainment import LEVELS
from greenexp.analysis.fronts.options import FrontOptions
from greenexp.analysis.fronts.study import front_study
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.study import seed_study
from greenexp.analysis.stopping.options import StoppingOptions, whole_trials
from greenexp.analysis.stopping.study import stopping_study
from greenexp.errors import InputError
from greenexp.figures.group_fronts import group_front_figures
from greenexp.figures.seed_scores import seed_score_figures
from greenexp.records.tables import SweepTables
from greenexp.sources.learning_curves import CurveRequest, CurveSource, read_curves
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.scores import Source, Sources, read_scores
from greenexp.sources.tables import WithTables, tables_of


def seeds(
    source: Sources,
    *,
    score: str | None = None,
    configuration: str | None = None,
    seed_columns: Sequence[str] = (),
    by: str | None = None,
    where: Mapping[str, str] | None = None,
    query: str = "",
    minimize: bool = False,
    difference: float | None = None,
    trials: int | None = None,
    confidence: float = 0.95,
    power: float = 0.8,
    paired: bool = False,
    seed: int = 0,
) -> Findings:
    """How much of the variance of scores is due to seeds, how many are needed, and which groups they tell apart.

    >>> import greenexp, pandas as pd
    >>> trials = pd.DataFrame(
    ...     {
    ...         "rate": [1e-4, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3],
    ...         "seed": [0, 1, 2, 0, 1, 2],
    ...         "accuracy": [0.71, 0.72, 0.70, 0.78, 0.80, 0.79],
    ...     }
    ... )
    >>> findings = greenexp.seeds(trials, score="accuracy", configuration="rate", seed_columns=["seed"])
    >>> findings["means"]["mean"].round(2).tolist()
    [0.79, 0.71]

    Parameters
    ----------
    source : path, data frame, SweepTables, Scores, address of MLflow, or several of these, required
        Where the trials are; see `sources.scores.read_scores`.
    score, configuration : str, optional
        Columns of the scores, and of what differs by more than its seeds. Of a sweep they are not named.
    seed_columns : sequence of at most 2 strings, default ()
        Columns of the seeds; without one, every trial of a configuration is another seed of it.
    by : str, optional
        Column of the groups to compare; of a sweep, a searched field.
    where : mapping, optional
        Column -> value: only these rows of a table.
    query : str, default ""
        Only MLflow runs that match this filter, in MLflow's language.
    minimize : bool, default False
        A smaller score is better.
    difference : float above 0, optional
        A true difference of scores, in their unit; the findings say how many seeds it takes to find it.
    trials : int of at least 2, optional
        Trials to spend on configurations and seeds. By default as many as there are.
    confidence : float in (0, 1), default 0.95
        Of intervals; the level of tests is 1 minus this.
    power : float in (1 - confidence, 1), default 0.8
        The probability with which a test is to find a true difference.
    paired : bool, default False
        Compare groups seed by seed: equal seeds are the same thing in all of them.
    seed : int, default 0
        The random seed of permutations and bootstrap samples.

    Returns
    -------
    Findings
        As of `analysis.seeds.study.seed_study`, with figures.

    Raises
    ------
    InputError
        For what is wrong with the source, with its place, and for options that are not possible.
    TrackingError
        For what MLflow does not have.

    """
    request = ScoreRequest(
        score=score,
        configuration=configuration,
        seeds=tuple(seed_columns),
        by=by,
        where=dict(where or {}),
        query=query,
        minimize=minimize,
        shared_seeds=paired,
    )
    options = SeedOptions(
        difference=difference, trials=trials, confidence=confidence, power=power, paired=paired, seed=seed
    )
    if paired and by is None:
        raise InputError("a paired comparison compares groups seed by seed, so it needs groups (by)")
    scores = read_scores(source, request, View.TRIALS)
    findings = seed_study(scores, options)
    return dataclasses.replace(findings, figures=seed_score_figures(findings, scores))


def front(
    source: Sources,
    *,
    score: str | None = None,
    cost: str | None = None,
    by: str | None = None,
    trial: str | None = None,
    query: str = "",
    minimize: bool = False,
    reference: tuple[float, float] | None = None,
    budgets: Sequence[float] | None = None,
    levels: Sequence[float] = LEVELS,
    baseline: Source | None = None,
    outside: Outside = "refuse",
    confidence: float = 0.95,
    seed: int = 0,
) -> Findings:
    """The Pareto front of score against cost, what it is worth, and with groups whose front is better.

    >>> import greenexp, pandas as pd
    >>> points = pd.DataFrame({"accuracy": [0.70, 0.75, 0.74, 0.80], "flops": [1e9, 2e9, 3e9, 4e9]})
    >>> greenexp.front(points, score="accuracy", cost="flops")["front"]["score"].tolist()
    [0.7, 0.75, 0.8]

    Parameters
    ----------
    source : as of `seeds`, required
        Where the points are; of a sweep, its operating points without the bounds.
    score, cost : str, optional
        Columns of the scores and of the costs, less is better. Of a sweep, `cost` is `inference_flops` (the default) or
        `mean_layers`.
    by : str, optional
        Column of the groups to compare; of a sweep, `policy`, `configuration` or a searched field.
    trial : str, optional
        Column of the trial or seed that a point belongs to; without it, every row is a trial of its own.
    query, minimize
        As of `seeds`.
    reference : (score, cost), optional
        The worst corner of hypervolumes, in their units. By default the worst score and the highest cost seen.
    budgets : sequence of whole numbers, optional
        Numbers of trials for which the expected hypervolume is computed. By default round numbers.
    levels : sequence of floats in (0, 1], default (0.25, 0.5, 0.75)
        Shares of the trials that attainment curves stand for.
    baseline : as a source, optional
        What each group is set against, line to line: how much higher its points are at equal cost, as in ELUE's score.
        Of a sweep it is the exits used alone.
    outside : "refuse" or "clamp", default "refuse"
        What becomes of points whose cost lies beyond the baseline's.
    confidence : float in (0, 1), default 0.95
        Of comparisons.
    seed : int, default 0
        The random seed of resampling.

    Returns
    -------
    Findings
        As of `analysis.fronts.study.front_study`, with figures.

    Raises
    ------
    InputError, TrackingError
        As of `seeds`.

    """
    request = ScoreRequest(score=score, cost=cost, by=by, trial=trial, query=query, minimize=minimize)
    options = FrontOptions(
        reference=reference,
        budgets=None if budgets is None else tuple(budgets),
        levels=tuple(levels),
        confidence=confidence,
        seed=seed,
    )
    scores = read_scores(source, request, View.POINTS)
    findings = front_study(scores, options)
    if baseline is not None and not findings.refusal:
        plain = dataclasses.replace(request, by=None)
        against = read_scores(baseline, plain, View.POINTS)
        name = str(baseline) if isinstance(baseline, str | Path) else str(getattr(baseline, "source", "the baseline"))
        compared = line_to_line(scores, against, name, outside, confidence)
        findings = dataclasses.replace(
            findings,
            verdict=(*findings.verdict, *compared.verdict),
            tables={**findings.tables, **compared.tables},
            titles={**findings.titles, **compared.titles},
            notes=(*findings.notes, *compared.notes),
            warnings=tuple(dict.fromkeys([*findings.warnings, *against.warnings, *compared.warnings])),
        )
    return dataclasses.replace(findings, figures=group_front_figures(findings, scores))


def lead(source: str | Path | SweepTables | WithTables) -> Findings:
    """Whether the best configuration of a sweep is better than the next, over seeds and dev examples.

    Parameters
    ----------
    source : folder of a sweep, address of MLflow, or SweepTables, required
        The sweep.

    Returns
    -------
    Findings
        As of `analysis.comparing.lead_of_sweep.lead_study`.

    Raises
    ------
    InputError
        For a folder without a sweep.
    TrackingError
        For what MLflow does not have.

    """
    return lead_study(tables_of(source))


def simulate(
    source: CurveSource,
    *,
    score: str | None = None,
    run: str | None = None,
    resource: str | None = None,
    cost: str | None = None,
    configuration: str | None = None,
    objectives: Sequence[str] | None = None,
    parts: int | None = None,
    best_so_far: bool = True,
    minimize: bool = False,
    schedulers: Sequence[str] | None = None,
    trials: Sequence[float] | None = None,
    workers: int = 1,
    grace_period: int | None = None,
    first_level: float | str | None = None,
    epsilon: float | None = None,
    reduction_factor: float | None = None,
    rung_seeds: Sequence[float] | None = None,
    repeats: int = 500,
    replace: bool = True,
    seed: int = 0,
) -> Findings:
    """What schedulers that stop trials would have found and cost, over recorded full curves.

    >>> import greenexp, pandas as pd
    >>> rows = [(run, step, 0.5 + 0.1 * run * (1 - 0.5**step)) for run in range(8) for step in range(1, 10)]
    >>> curves = pd.DataFrame(rows, columns=["run", "step", "score"])
    >>> findings = greenexp.simulate(curves, schedulers=["asha"], repeats=50)
    >>> bool((findings["searches"]["share_of_full"] < 1).any())
    True

    Parameters
    ----------
    source : path, data frame, SweepTables, folder of a sweep, address of MLflow, or RecordedCurves, required
        A table with a row per run and evaluation, or a sweep whose trials all ran to their end.
    score, run, resource, configuration : str, optional
        Columns of a table: the score of a run at a step (`score`), which run a row belongs to (`run`), how far the run
        had come (`step`), and which runs are seeds of one configuration. Of a sweep they are not named.
    cost : str, optional
        What the run had used by then, cumulative: a column, or of a sweep a budget axis. By default the resource.
    objectives : sequence of str, optional
        Costs besides the score, less is better, for schedulers that compare several objectives: columns of a table, as
        they are at a step, or of a sweep `inference_flops`, `train_flops`, `wall_s`, `energy_j`, `parameters`. By
        default those of the sweep's file. The findings then have the fronts too.
    parts : int of at least 1, optional
        Equal parts of a run's own schedule, at whose ends it can be judged. By default 9, or of a sweep its reports.
    best_so_far : bool, default True
        Judge by the best score so far, else by the score at a rung.
    minimize : bool, default False
        Of a table: a smaller score is better.
    schedulers : sequence of str, optional
        Names of schedulers. By default all that the curves allow.
    trials : sequence of whole numbers, optional
        Numbers of units that a search begins. By default 27, or as many as there are.
    workers : int of at least 1, default 1
        Units trained at a time.
    grace_period : int, optional
        Parts of a schedule before the first rung. By default the scheduler's own.
    first_level : float or str, optional
        Rungs are levels of cost instead, such as `"2 TFLOP"`: what a trial has used at the first one. `cost` must then
        be `train_flops`, `energy_j` or `wall_s`.
    epsilon : float of at least 0, optional
        Scores that differ by at most this much count as equal when `pasha` compares rankings; it needs it where rungs
        are levels of cost. By default its estimate.
    reduction_factor : float above 1, optional
        At a rung one of this number of units goes on. By default the scheduler's own.
    rung_seeds : sequence of whole numbers, optional
        Seeds of a configuration at the first rung, the second, ..., of schedulers with a field `seeds`. By default all.
    repeats : int of at least 1, default 500
        Simulated searches behind each number.
    replace : bool, default True
        Draw units with replacement.
    seed : int, default 0
        The random seed of the draws.

    Returns
    -------
    Findings
        As of `analysis.stopping.study.stopping_study`.

    Raises
    ------
    InputError
        For what is wrong with the source, with its place, and for options that are not possible.

    """
    options = StoppingOptions(
        schedulers=None if schedulers is None else tuple(schedulers),
        trials=None if trials is None else whole_trials(trials),
        workers=workers,
        grace_period=grace_period,
        first_level=first_level,
        epsilon=epsilon,
        reduction_factor=reduction_factor,
        rung_seeds=None if rung_seeds is None else whole_trials(rung_seeds),
        repeats=repeats,
        replace=replace,
        seed=seed,
    )
    request = CurveRequest(
        score=score,
        run=run,
        resource=resource,
        cost=cost,
        configuration=configuration,
        objectives=None if objectives is None else tuple(objectives),
        parts=parts,
        best_so_far=best_so_far,
        minimize=minimize,
    )
    return stopping_study(read_curves(source, request), options)
