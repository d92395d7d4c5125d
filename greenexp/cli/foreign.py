"""Runs of other programs, from an MLflow address to a comparison: what `greenexp report --score` composes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import InputError

if TYPE_CHECKING:
    from greenexp.analysis import GroupComparison
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
) -> tuple[GroupComparison, Question]:
    """The groups of the runs at `source` (`ADDRESS`, `ADDRESS#EXPERIMENT` or an experiment at MLFLOW_TRACKING_URI)."""
    _refuse_folder(source)
    from greenexp.analysis import compare_groups
    from greenexp.report import Question
    from greenexp.tracking.foreign import read_runs
    from greenexp.tracking.reader import address

    uri, named = address(source)
    wanted = (*experiments, *([named] if named else []))
    found = read_runs(uri, score, cost, by, experiments=wanted, query=query)
    comparison = compare_groups(found.runs, costs=cost is not None, minimize=minimize)
    return comparison, Question(score, cost, by, found.address, found.experiments, query, found.left_out)


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
