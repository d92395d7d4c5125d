"""Where the points of `greenexp front` come from: a table in a file, a sweep, or anybody's MLflow runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from greenexp.cli.columns import NOT_SET, read_columns
from greenexp.cli.front_points import OWN_ROW, PointTable, values_of
from greenexp.cli.score_tables import ALL, FILES
from greenexp.errors import InputError


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
    path = Path(source)
    is_file = path.suffix.lower() in FILES
    if query is not None and (score is None or is_file):
        raise InputError("--filter: only for runs at an MLflow address, with --score")
    if score is None and not is_file:
        from greenexp.cli.front_of_sweep import read_sweep_points

        if trial is not None or minimize:
            raise InputError("--trial, --minimize: a sweep's record says which trials there are and which is better")
        return read_sweep_points(source, cost, by)
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


def _of_file(path: Path, score: str, cost: str, by: str | None, trial: str | None, minimize: bool) -> PointTable:
    words = tuple(dict.fromkeys(name for name in (by, trial) if name))
    found = read_columns(path, tuple(dict.fromkeys((score, cost))), words)
    if trial is not None and NOT_SET in found.words[trial]:
        line = found.lines[found.words[trial].index(NOT_SET)]
        raise InputError(f"{path}:{line}: --trial {trial}: empty here")
    frame = pd.DataFrame(
        {
            "by": found.words[by] if by else ALL,
            "trial": found.words[trial] if trial else [f"line {line}" for line in found.lines],
            "seed": "",
            "cost": found.numbers[cost],
            "score": found.numbers[score],
            "line": [int(line) for line in found.lines],
        }
    )
    frame, notes = _finite(frame)
    if trial is None:
        notes.append("every row counts as a trial of its own; --trial COLUMN says which rows belong to one")
    return PointTable(frame, score, cost, by, minimize, ("line",), trial or OWN_ROW, notes=tuple(notes))


def _of_runs(
    source: str, score: str, cost: str, by: str | None, trial: str | None, minimize: bool, query: str
) -> PointTable:
    from greenexp.analysis.comparing.groups import COUNTED
    from greenexp.cli.foreign import compare_runs, words_of_runs

    comparison, _ = compare_runs(source, score, cost, by, minimize=minimize, experiments=(), query=query)
    runs = comparison.runs
    left = runs["outcome"].isin(["not_ended", "summary"])
    kept = runs[~left]
    if kept.empty:
        raise InputError(f"no run at {source} has ended")
    names = _named(kept["run"].tolist(), kept["run"].map(words_of_runs(source, score, trial, query)) if trial else None)
    frame = pd.DataFrame(
        {
            "by": kept["group"].astype(str).to_numpy() if by else ALL,
            "trial": names,
            "seed": "",
            "cost": kept["cost"].to_numpy(dtype=np.float64),
            "score": kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan),
            "run": kept["name"].to_numpy(),
        }
    )
    frame, notes = _finite(frame)
    if left.any():
        notes.append(f"{int(left.sum())} of {len(runs)} runs have not ended or are parents of runs, and are left out")
    if runs["own"].any():
        notes.append(
            f"{int(runs['own'].sum())} runs belong to sweeps of greenexp: leave --score out to have their operating "
            "points read"
        )
    return PointTable(frame, score, cost, by, minimize, ("run",), trial or "run", notes=tuple(notes))


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
    infinite = np.isinf(values_of(frame)).any(axis=1)
    if not infinite.any():
        return frame, []
    numbers = frame[["cost", "score"]].where(np.isfinite(frame[["cost", "score"]]))
    return frame.assign(cost=numbers["cost"], score=numbers["score"]), [
        f"{int(infinite.sum())} rows have an infinite score or cost, which counts as missing"
    ]
