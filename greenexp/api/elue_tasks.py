"""One sweep file on every task of ELUE."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from greenexp.assets.shipped import find_sweep
from greenexp.errors import InputError, UnknownNameError
from greenexp.records.metrics import METRICS
from greenexp.records.scored_lines import ELUE_METRICS, ELUE_TASKS
from greenexp.spec import load_sweep


class TaskRun(NamedTuple):
    """What is run on one task. out: the results folder; overrides: as `--set`, with the task and the sweep's name."""

    out: Path
    overrides: tuple[str, ...]


def run_tasks(
    sweep: str, *, tasks: Sequence[str] = (), overrides: Sequence[str] = (), out: str | Path = "out"
) -> tuple[dict[str, TaskRun], dict[str, str]]:
    """What one sweep file is on each task of ELUE: its runs by task, and of the tasks that are left out why.

    sweep: a file, or the name of a sweep that comes with greenexp, whose task is `elue`; tasks: only these
    overrides: as `--set`, for every task; out: the folder in which the sweeps' own are made
    Where the file has accuracy, MRPC is scored by ELUE's mean of accuracy and F1, and where it has a metric of classes,
    STS-B, a regression, by the mean of Pearson's and Spearman's correlation. Nothing is run.
    Raises InputError for a sweep of another task, and where no task has its files.
    """
    spec = load_sweep(find_sweep(sweep), overrides).checked()
    if spec.task.name != "elue":
        raise InputError(
            f"{sweep}: its task is '{spec.task.name}', and this runs the tasks of ELUE: task: {{name: elue}}"
        )
    for name in tasks:
        if name not in ELUE_TASKS:
            raise UnknownNameError("task of ELUE", name, ELUE_TASKS)
    runs: dict[str, TaskRun] = {}
    left_out: dict[str, str] = {}
    for task in tasks or ELUE_TASKS:
        left_out[task] = dataclasses.replace(spec.task.plugin(), task=task).missing()
        if left_out[task]:
            continue
        del left_out[task]
        name = f"{spec.name}-{task}"
        metric = () if _fits(spec.metric.name, task) else (f"metric.name={ELUE_METRICS[task]}",)
        runs[task] = TaskRun(Path(out) / name, (*overrides, f"task.task={task}", f"name={name}", *metric))
    if not runs:
        raise InputError("no task of ELUE has its files: " + "; ".join(left_out.values()))
    return runs, left_out


def _fits(metric: str, task: str) -> bool:
    """Whether a sweep file's metric is kept on a task of ELUE: one of its kind, and no accuracy where ELUE has more."""
    if metric in METRICS and METRICS[metric].is_regression != (task == "STS-B"):
        return False
    return metric != "accuracy" or ELUE_METRICS[task] == "accuracy"
