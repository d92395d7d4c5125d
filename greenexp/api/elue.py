"""ELUE: scores against a named baseline, and boards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from greenexp.analysis.elue.board import BoardModel, board_table, track_table
from greenexp.analysis.elue.line import Outside
from greenexp.analysis.elue.metrics import in_one_metric
from greenexp.analysis.elue.score import elue_score
from greenexp.analysis.elue.study import MOST_POINTS, NOT_PUBLIC, ElueOptions, elue_study, unlike
from greenexp.analysis.findings import Findings
from greenexp.errors import InputError
from greenexp.figures.elue import elue_figure
from greenexp.records.scored_lines import ELUE_TASKS
from greenexp.sources.elue.lines import LineRequest, LineSource, Split, lines_by_name, read_baseline, read_lines
from greenexp.sources.elue.paper import Paper, read_paper


def score(
    *sources: LineSource,
    baseline: LineSource,
    baseline_configuration: str = "",
    baseline_policy: str = "",
    task: str = "",
    configuration: str = "",
    policies: Sequence[str] = (),
    split: Split = "dev",
    outside: Outside = "refuse",
    most_points: int = MOST_POINTS,
    confidence: float = 0.95,
) -> Findings:
    """ELUE's score of lines of operating points against a baseline that you name.

    Parameters
    ----------
    *sources : path, MLflow address, data frame, SweepTables or ScoredLine, at least one
        A sweep, of which each exit policy is a line and each trial a seed; a table with the columns `mflops` and
        `points`, and as you like `line`, `seed` and `task`; a paper's YAML (`sources.elue.paper`).
    baseline : as a source, required
        Of a sweep its exits used alone.
    baseline_configuration, configuration : str, default ""
        Another configuration of the sweep than the chosen one, or one of its trials.
    baseline_policy : str, default ""
        Another line of the baseline's sweep than its exits used alone.
    task : str, default ""
        Where a source has several.
    policies : sequence of str, default ()
        Only these lines of sweeps.
    split : "dev" or "test", default "dev"
        Of a sweep's scores; of policies on test the thresholds are those that were chosen on dev.
    outside : "refuse" or "clamp", default "refuse"
        What becomes of points beyond the baseline's range.
    most_points : int of at least 1, default 12
        Points that are chosen of a policy's many thresholds.
    confidence : float in (0, 1), default 0.95
        Of intervals over seeds.

    Returns
    -------
    Findings
        As of `analysis.elue.study.elue_study`, with a figure.

    Raises
    ------
    InputError
        For what is wrong with a source, with its place, and for points outside the range.
    TrackingError
        For what MLflow does not have.

    """
    options = ElueOptions(outside, most_points, confidence)
    request = LineRequest(task, configuration, tuple(policies), split)
    lines = [line for source in sources for line in read_lines(source, request)]
    against = read_baseline(
        baseline, LineRequest(task, baseline_configuration, (baseline_policy,) if baseline_policy else (), split)
    )
    # The baseline's own line is 0 by definition, and says nothing.
    scored = [line for name, line in lines_by_name(lines).items() if name != against.name] or lines
    findings = elue_study(scored, against, options)
    return dataclasses.replace(findings, figures=(elue_figure(findings),))


def board(
    *papers: str | Path | Paper, baseline: str | Path | Paper | None = None, outside: Outside = "refuse"
) -> Findings:
    """A board of models over ELUE's tasks, with averages and tracks by parameters.

    papers: files of points typed from papers, or written by `elue check`; with a published score it stands as it is
    baseline: what points are scored against, a file of the same form; needed where a file has points
    outside: of points beyond the baseline's range on a task
    Raises InputError for what is wrong with a file, with its place, for points without a baseline, and where points of
    two models on one task are of different metrics.
    """
    against = None if baseline is None else _paper(baseline)
    read = [_paper(paper) for paper in papers]
    _check_metrics(read if against is None else [against, *read])
    entries = [_entry(paper, against, outside) for paper in ([] if against is None else [against]) + read]
    names = [entry.name for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two files are of the model {twice}: name them apart (model)")
    table, tracks = board_table(entries), track_table(entries)
    scored = int(table["average"].notna().sum())
    notes = [f"{scored} of {len(table)} models have a score on all six tasks, which an average needs"]
    warnings: list[str] = []
    if against is not None:
        told, warnings = _remarks(read, against)
        notes += [f"points are scored against {against.model}", NOT_PUBLIC, *told]
    best = table.iloc[0]
    verdict = () if not scored else (f"{best['model']} has the best average, {best['average']:.2f} points.",)
    tables = {"board": table, "tracks": tracks}
    titles = {
        "board": "ELUE scores in points, their average, and millions of parameters",
        "tracks": "Tracks by millions of parameters: the best performance of each model that fits, in points",
    }
    return Findings(verdict, tables, titles, tuple(notes), tuple(warnings))


def _remarks(papers: Sequence[Paper], baseline: Paper) -> tuple[list[str], list[str]]:
    """Notes and warnings on the points that are scored, as `score` has them, each with the tasks that it is of."""
    notes: dict[str, list[str]] = {}
    warnings: dict[str, list[str]] = {}
    for paper in papers:
        for task in ELUE_TASKS:
            line, against = paper.line(task), baseline.line(task)
            if line is None:
                continue
            if against is None:
                told = [f"{paper.model} has points and the baseline has none, so that there is no score"]
            else:
                (line,), against, _, metrics = in_one_metric([line], against)
                told = [*metrics, *against.notes, *line.notes]
                if wrong := unlike(line, against):
                    warnings.setdefault(wrong, []).append(task)
            for text in dict.fromkeys(told):
                notes.setdefault(text, []).append(task)
    both = [[f"{', '.join(dict.fromkeys(of))}: {text}" for text, of in said.items()] for said in (notes, warnings)]
    return both[0], both[1]


def _check_metrics(papers: Sequence[Paper]) -> None:
    """InputError where the points of two models on one task are of different metrics."""
    for task in ELUE_TASKS:
        known = {paper.model: paper.tasks[task].metric for paper in papers if task in paper.tasks}
        named = {model: metric for model, metric in known.items() if metric is not None}
        if len(set(named.values())) > 1:
            told = "; ".join(f"{model} by {metric}" for model, metric in named.items())
            raise InputError(f"on {task} scores of different metrics do not compare: {told}")


def _paper(source: str | Path | Paper) -> Paper:
    return source if isinstance(source, Paper) else read_paper(source)


def _entry(paper: Paper, baseline: Paper | None, outside: Outside) -> BoardModel:
    scores: dict[str, float | None] = {}
    best: dict[str, float | None] = {}
    for task, known in paper.tasks.items():
        line = paper.line(task)
        if line is None:
            scores[task] = known.score
            continue
        (rows,) = line.seeds.values()
        best[task] = float(rows[:, 1].max())
        against = None if baseline is None else baseline.line(task)
        if against is None:
            if baseline is None:
                raise InputError(f"{paper.model} has points on {task}: score them against a baseline (--baseline FILE)")
            continue
        (base,) = against.seeds.values()
        try:
            scores[task] = elue_score(rows, base, outside)
        except InputError as error:
            raise InputError(f"{paper.model} on {task}: {error}") from None
    return BoardModel(paper.model, paper.most_mparams(), scores, best)
