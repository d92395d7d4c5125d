"""Reports: of runs that other programs logged to MLflow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from greenexp.analysis.comparing.study import comparison_study
from greenexp.report.runs.foreign import Question, render_runs_report
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.runs import compare_groups_of, read_foreign, scores_of_runs


def runs_report(
    source: str,
    *,
    score: str,
    cost: str | None = None,
    by: str | None = None,
    minimize: bool = False,
    experiments: Sequence[str] = (),
    query: str = "",
) -> Callable[[Iterable[str], Path], list[Path]]:
    """The report that compares any MLflow runs by a column, read and ready to be written.

    Parameters
    ----------
    source : str, required
        An MLflow address, `ADDRESS#EXPERIMENT`, or an experiment at MLFLOW_TRACKING_URI.
    score, cost, by : str
        Columns as MLflow names them: of the scores, of what a run cost (or `duration`), of the groups (or
        `experiment`).
    minimize : bool, default False
        A smaller score is better.
    experiments : sequence of str, default ()
        Only the runs of these experiments, by name or id.
    query : str, default ""
        Only runs that match this filter, in MLflow's language.

    Returns
    -------
    function of (formats, folder)
        Writes the report into the folder as `html`, `md`, `tex` or `csv`, and returns the files.

    Raises
    ------
    InputError
        For a column that no run has, with the nearest name.
    TrackingError
        For what MLflow does not have.

    """
    request = ScoreRequest(score=score, cost=cost, by=by, minimize=minimize, query=query)
    runs = read_foreign(source, request, experiments)
    comparison = compare_groups_of(runs, request)
    # Runs are counted here, whatever they cost: a comparison over cost is that of `compare`.
    by_count = dataclasses.replace(request, cost=None)
    pairs = comparison_study(scores_of_runs(comparison, by_count, View.CONFIGURATIONS, source))
    question = Question(score, cost, by, runs.address, runs.experiments, query, runs.left_out)
    return partial(render_runs_report, comparison, question, pairs)
