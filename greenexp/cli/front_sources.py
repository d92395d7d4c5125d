"""Points of a score against a cost, wherever they are recorded, as the study of fronts takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from greenexp.cli.columns import NOT_SET, read_columns
from greenexp.cli.score_tables import FILES
from greenexp.cli.sources import read_source
from greenexp.errors import InputError
from greenexp.records.scores import ALL, COST, GROUP, SCORE, TRIAL, Scores, score_frame


def read_points(
    source: str,
    score: str | None,
    cost: str | None,
    by: str | None,
    trial: str | None,
    *,
    minimize: bool,
    query: str | None = None,
) -> Scores:
    """The points at `source`: a file by its suffix, a sweep's folder, or, with `score`, runs at an MLflow address."""
    path = Path(source)
    is_file = path.suffix.lower() in FILES
    if query is not None and (score is None or is_file):
        raise InputError("--filter: only for runs at an MLflow address, with --score")
    if score is None and not is_file:
        from greenexp.analysis.fronts.of_sweep import sweep_point_scores

        if trial is not None or minimize:
            raise InputError("--trial, --minimize: a sweep's record says which trials there are and which is better")
        tables, _ = read_source(source)
        return sweep_point_scores(tables, cost, by)
    missing = [f"--{name} COLUMN" for name, given in (("score", score), ("cost", cost)) if given is None]
    if score is None or cost is None:
        raise InputError(f"{' and '.join(missing)} needed: which columns hold the scores, and what a point costs?")
    if is_file:
        return _of_file(path, score, cost, by, trial, minimize)
    if path.is_file():
        raise InputError(f"{source}: expected a table that ends in {', '.join(FILES)}")
    if (path / "journal.jsonl").is_file():
        raise InputError(f"{source} is a sweep's folder, and its score is the metric of its sweep file: no --score")
    return _of_runs(source, score, cost, by, trial, minimize, query or "")


def _of_file(path: Path, score: str, cost: str, by: str | None, trial: str | None, minimize: bool) -> Scores:
    words = tuple(dict.fromkeys(name for name in (by, trial) if name))
    table = read_columns(path, tuple(dict.fromkeys((score, cost))), words)
    if trial is not None and NOT_SET in table.words[trial]:
        line = table.lines[table.words[trial].index(NOT_SET)]
        raise InputError(f"{path}:{line}: --trial {trial}: empty here")
    columns = {
        GROUP: table.words[by] if by else ALL,
        TRIAL: table.words[trial] if trial else [f"line {line}" for line in table.lines],
        COST: table.numbers[cost],
        SCORE: table.numbers[score],
        "line": [int(line) for line in table.lines],
    }
    frame, notes = _finite(score_frame(columns, len(table.lines)))
    if trial is None:
        notes.append("every row counts as a trial of its own; --trial COLUMN says which rows belong to one")
    return _scores(frame, score, cost, by, minimize, "line", trial or "", notes)


def _of_runs(
    source: str, score: str, cost: str, by: str | None, trial: str | None, minimize: bool, query: str
) -> Scores:
    from greenexp.analysis.comparing.groups import COUNTED
    from greenexp.cli.foreign import compare_runs, words_of_runs

    comparison, _ = compare_runs(source, score, cost, by, minimize=minimize, experiments=(), query=query)
    runs = comparison.runs
    left = runs["outcome"].isin(["not_ended", "summary"])
    kept = runs[~left]
    if kept.empty:
        raise InputError(f"no run at {source} has ended")
    names = _named(kept["run"].tolist(), kept["run"].map(words_of_runs(source, score, trial, query)) if trial else None)
    columns = {
        GROUP: kept["group"].astype(str).to_numpy() if by else ALL,
        TRIAL: names,
        COST: kept["cost"].to_numpy(dtype=np.float64),
        SCORE: kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan),
        "run": kept["name"].to_numpy(),
    }
    frame, notes = _finite(score_frame(columns, len(kept)))
    if left.any():
        notes.append(f"{int(left.sum())} of {len(runs)} runs have not ended or are parents of runs, and are left out")
    if runs["own"].any():
        notes.append(
            f"{int(runs['own'].sum())} runs belong to sweeps of greenexp: leave --score out to have their operating "
            "points read"
        )
    return _scores(frame, score, cost, by, minimize, "run", trial or "run", notes)


def _scores(
    frame: pd.DataFrame,
    score: str,
    cost: str,
    by: str | None,
    minimize: bool,
    label: str,
    trials: str,
    notes: Sequence[str],
) -> Scores:
    return Scores(
        frame=frame,
        score=score,
        cost=cost,
        by=by,
        minimize=minimize,
        labels=(label,),
        trials=trials,
        notes=tuple(notes),
    )


def _named(runs: Sequence[str], words: pd.Series[Any] | None) -> list[str]:
    """The trial of each run: itself, or the value of --trial."""
    if words is None:
        return [str(run) for run in runs]
    for run, word in zip(runs, words, strict=True):
        if not isinstance(word, str):
            raise InputError(f"--trial: run {run} has no value")
    return [str(word) for word in words]


def _finite(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The frame with infinite numbers as missing ones, and what to say of that."""
    numbers = frame[[COST, SCORE]]
    infinite = np.isinf(numbers.to_numpy(dtype=np.float64)).any(axis=1)
    if not infinite.any():
        return frame, []
    finite = numbers.where(np.isfinite(numbers))
    return frame.assign(cost=finite[COST], score=finite[SCORE]), [
        f"{int(infinite.sum())} rows have an infinite score or cost, which counts as missing"
    ]
