"""Runs of other programs, from an MLflow address to a comparison: what `greenexp report --score` composes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from greenexp.errors import InputError

if TYPE_CHECKING:
    from greenexp.analysis.comparing.groups import GroupComparison
    from greenexp.report import Question


def compare_runs(
    source: str,
    score: str,
    cost: str | None,
    by: str | None,
    *,
    minimize: bool,
    experiments: tuple[str, ...],
    query: str,
    also: Mapping[str, str] = MappingProxyType({}),
) -> tuple[GroupComparison, Question]:
    """The groups of the runs at `source` (`ADDRESS`, `ADDRESS#EXPERIMENT` or an experiment at MLFLOW_TRACKING_URI).

    also: further columns of its runs, as `read_runs` takes them
    """
    _refuse_folder(source)
    from greenexp.analysis.comparing.groups import compare_groups
    from greenexp.report import Question
    from greenexp.tracking.foreign import read_runs
    from greenexp.tracking.reader import address

    uri, named = address(source)
    wanted = (*experiments, *([named] if named else []))
    found = read_runs(uri, score, cost, by, experiments=wanted, query=query, also=also)
    comparison = compare_groups(found.runs, costs=cost is not None, minimize=minimize)
    return comparison, Question(score, cost, by, found.address, found.experiments, query, found.left_out)


def scores_of_runs(source: str, score: str, query: str) -> dict[str, float]:
    """Run id -> another score of the runs at `source`; NaN of a run without it."""
    from greenexp.tracking.foreign import read_runs
    from greenexp.tracking.reader import address

    uri, named = address(source)
    runs = read_runs(uri, score, experiments=(named,) if named else (), query=query).runs
    return {str(run): float(value) for run, value in zip(runs["run"], runs["score"], strict=True)}


def words_of_runs(source: str, score: str, by: str, query: str) -> dict[str, str | None]:
    """Run id -> the value of the column `by` of the runs at `source` that have the score; None without a value."""
    from greenexp.tracking.foreign import read_runs
    from greenexp.tracking.reader import address

    uri, named = address(source)
    runs = read_runs(uri, score, None, by, experiments=(named,) if named else (), query=query).runs
    return {str(run): value for run, value in zip(runs["run"], runs["group"], strict=True)}


def _refuse_folder(source: str) -> None:
    """--score needs MLflow; say what to write for the folders people are likely to have."""
    folder = Path(source)
    if not folder.is_dir():
        return
    hint = ""
    if (folder / "mlflow.db").is_file():
        hint = f"; write sqlite:///{folder / 'mlflow.db'}"
    elif any(folder.glob("*/meta.yaml")):
        hint = (
            "; if MLflow keeps its runs there as files, first put them into a database: mlflow migrate-filestore "
            f"--source {folder} --target sqlite:///mlflow.db"
        )
    raise InputError(f"--score reads runs from an MLflow address, and '{source}' is a folder{hint}")
