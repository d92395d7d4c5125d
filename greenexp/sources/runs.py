"""Runs that anybody logged to MLflow, as `Scores`: one query for all columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from greenexp.analysis.seeds.trials import trial_scores
from greenexp.errors import InputError
from greenexp.extras import require
from greenexp.records.scores import (
    ALL,
    CONFIGURATION,
    COST,
    GROUP,
    SCORE,
    TEST,
    TRIAL,
    Measured,
    Scores,
    score_frame,
)
from greenexp.sources.columns import NOT_SET
from greenexp.sources.request import ScoreRequest, View, check_trial_columns

if TYPE_CHECKING:
    from greenexp.analysis.comparing.groups import GroupComparison
    from greenexp.tracking.foreign import ForeignRuns

LEFT_OUT = {"not_ended": "have not ended", "summary": "are parents of runs with a score"}
"""Outcomes of runs that are no trials, in words."""


def run_scores(source: str, request: ScoreRequest, view: View) -> Scores:
    """The runs at `source`: an MLflow address, `ADDRESS#EXPERIMENT` or an experiment at MLFLOW_TRACKING_URI.

    Raises InputError for columns that no run has, naming the nearest, TrackingError for what MLflow does not have.
    """
    if request.where:
        raise InputError("where (--where) is for a table; MLflow's runs are chosen by a filter (--filter)")
    request.needed("score")
    if view is View.POINTS:
        request.needed("cost")
    if view is View.TRIALS:
        check_trial_columns(request)
    comparison = compare_groups_of(read_foreign(source, request), request)
    if comparison.runs["outcome"].isin(list(LEFT_OUT)).all():
        raise InputError(f"no run at {source} has ended")
    return scores_of_runs(comparison, request, view, source)


def read_foreign(source: str, request: ScoreRequest, experiments: Sequence[str] = ()) -> ForeignRuns:
    """The runs at `source` with all columns of the request; experiments: only theirs, by name or id."""
    _refuse_folder(source)
    require("mlflow")
    from greenexp.tracking.foreign import read_runs
    from greenexp.tracking.reader import address

    uri, named = address(source)
    return read_runs(
        uri,
        request.needed("score"),
        request.cost,
        request.by,
        experiments=(*experiments, *([named] if named else [])),
        query=request.query,
        test=request.test,
        also=request.words,
    )


def compare_groups_of(runs: ForeignRuns, request: ScoreRequest) -> GroupComparison:
    """The runs by group, with what became of each."""
    from greenexp.analysis.comparing.groups import compare_groups

    return compare_groups(runs.runs, costs=request.cost is not None, minimize=request.minimize)


def scores_of_runs(comparison: GroupComparison, request: ScoreRequest, view: View, source: str = "") -> Scores:
    """The runs that ended, in the order in which they began; the score of one that does not count is NaN."""
    from greenexp.analysis.comparing.groups import COUNTED

    kept = comparison.runs[~comparison.runs["outcome"].isin(list(LEFT_OUT))].reset_index(drop=True)
    groups = kept["group"].astype(str) if request.by is not None else [ALL] * len(kept)
    frame: dict[str, object] = {GROUP: groups, TRIAL: kept["run"], CONFIGURATION: kept["run"]}
    frame[SCORE] = kept["score"].where(kept["outcome"] == COUNTED).to_numpy(dtype=np.float64, na_value=np.nan)
    if request.cost is not None:
        frame[COST] = _costs(kept, request.cost, view)
    if request.test is not None:
        frame[TEST] = kept["test"].to_numpy(dtype=np.float64)
    if view is View.TRIALS:
        frame[CONFIGURATION] = groups if request.configuration is None else _words(kept, request.configuration, request)
    if request.trial is not None:
        frame[TRIAL] = _words(kept, request.trial, request)
    frame |= {name: _words(kept, name, request) for name in request.seeds}
    if view is View.POINTS:
        frame["run"] = kept["name"].to_numpy()
    scores = Scores(
        frame=score_frame(frame, len(kept)),
        score=str(request.score),
        cost=request.cost,
        by=request.by,
        test=request.test,
        minimize=request.minimize,
        seeds=request.seeds,
        shared_seeds=request.shared_seeds,
        labels=("run",) if view is View.POINTS else (),
        trials=request.trial or "run",
        measured=(Measured(source=source),),
        notes=_notes(comparison.runs, view),
    )
    return trial_scores(scores) if view is View.TRIALS else scores


def _costs(kept: pd.DataFrame, cost: str, view: View) -> np.ndarray:
    costs = kept["cost"].to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~(costs > 0))
    if view is View.CONFIGURATIONS and wrong.size:
        first = kept["name"].iloc[int(wrong[0])]
        raise InputError(f"cost {cost}: {wrong.size} runs have no cost above 0, the first is {first}")
    return costs


def _words(kept: pd.DataFrame, name: str, request: ScoreRequest) -> list[str]:
    """The values of a column as text. InputError for a run without one."""
    values = kept[name].where(kept[name].notna(), "").astype(str)
    missing = (values == "") | (values == NOT_SET)
    if missing.any():
        run = kept["name"][missing].iloc[0]
        raise InputError(
            f"{request.words[name]} {name}: {int(missing.sum())} of {len(kept)} runs have no value, the first is {run}"
        )
    return [str(value) for value in values]


def _notes(runs: pd.DataFrame, view: View) -> tuple[str, ...]:
    notes = []
    for outcome, words in LEFT_OUT.items():
        number = int((runs["outcome"] == outcome).sum())
        if number:
            notes.append(f"{number} of {len(runs)} runs {words} and are left out")
    if view is View.CONFIGURATIONS:
        notes.append(
            "the runs are taken for independent draws from one distribution, as a random search makes them; MLflow "
            "does not record whether they are"
        )
    if runs["own"].any():
        notes.append(
            f"{int(runs['own'].sum())} runs belong to sweeps of greenexp, where runs are seeds of configurations and "
            "may have been stopped early: leave the score column out to have a sweep read as what it is"
        )
    return tuple(notes)


def _refuse_folder(source: str) -> None:
    """Runs are read from MLflow; say what to write for the folders people are likely to have."""
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
    raise InputError(f"with a score column, runs are read from an MLflow address, and '{source}' is a folder{hint}")
