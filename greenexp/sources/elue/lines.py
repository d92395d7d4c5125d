"""Lines of operating points, wherever they are: a sweep's folder, an MLflow address, a table, a paper's YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from greenexp.analysis.elue.line import MFLOPS, POINTS, checked_rows
from greenexp.analysis.exits.policies import family_of, is_bound
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.errors import InputError, UnknownNameError
from greenexp.records.arrays import Floats
from greenexp.records.metrics import MEANS, less_is_better
from greenexp.records.policies import STATIC
from greenexp.records.scored_lines import CostConvention, ScoredLine
from greenexp.records.tables import DEV, TEST, SweepTables
from greenexp.sources.columns import Cells, read_columns
from greenexp.sources.elue.paper import SUFFIXES, Paper, read_paper
from greenexp.sources.files import is_table, read_file
from greenexp.sources.frames import read_frame
from greenexp.sources.tables import WithTables, tables_of

LineSource = str | Path | pd.DataFrame | SweepTables | WithTables | ScoredLine | Paper
Split = Literal["dev", "test"]
FLOPS_PER_MFLOP = 1e6
POINTS_PER_SHARE = 100
WORDS = ("line", "seed", "task", "metric")
"""Columns of words that a table may have, beside those of its numbers."""


@dataclass(frozen=True, slots=True)
class LineRequest:
    """What is to be read.

    task: of ELUE, where a source has several; configuration: of a sweep, another than the chosen one, or one trial
    policies: of a sweep, labels or families of exit policies, () for all; split: of a sweep's scores
    """

    task: str = ""
    configuration: str = ""
    policies: tuple[str, ...] = ()
    split: Split = "dev"


def read_lines(source: LineSource, request: LineRequest | None = None) -> list[ScoredLine]:
    """The lines at a source. Raises InputError with the place of what is wrong; TrackingError as MLflow's reader."""
    request = request or LineRequest()
    if isinstance(source, ScoredLine):
        return [source]
    if isinstance(source, Paper):
        return [_of_paper(source, request, source.model)]
    if isinstance(source, pd.DataFrame):
        return _of_cells(read_frame(source), request)
    if isinstance(source, str | Path) and not Path(source).is_dir():
        path = Path(source)
        if path.suffix.lower() in SUFFIXES:
            return [_of_paper(read_paper(path), request, str(source))]
        if is_table(path):
            if not path.is_file():
                raise InputError(f"there is no file {path}")
            return _of_cells(read_file(path), request)
    return _of_sweep(tables_of(source), request)


def read_baseline(source: LineSource, request: LineRequest | None = None) -> ScoredLine:
    """The one line that others are set against: of a sweep its exits used alone, if no policy is named.

    Raises as `read_lines`, and InputError for a source of several lines.
    """
    request = request or LineRequest()
    sweep = isinstance(source, SweepTables | WithTables) or (
        isinstance(source, str | Path) and not is_table(source) and Path(source).suffix.lower() not in SUFFIXES
    )
    if sweep and not request.policies:
        request = LineRequest(request.task, request.configuration, (STATIC,), request.split)
    lines = read_lines(source, request)
    if len(lines) > 1:
        names = ", ".join(line.name for line in lines)
        raise InputError(f"the baseline has {len(lines)} lines, and must be one: {names}")
    return lines[0]


def _of_paper(paper: Paper, request: LineRequest, name: str) -> ScoredLine:
    given = [task for task, known in paper.tasks.items() if known.points]
    task = request.task or (given[0] if len(given) == 1 else "")
    if not task:
        raise InputError(f"{name}: points on {', '.join(given) or 'no task'}: which task? Name it: task (--task NAME)")
    line = paper.line(task)
    if line is None:
        raise InputError(f"{name}: no points on {task} (there are points on: {', '.join(given) or 'none'})")
    return line


def _of_cells(cells: Cells, request: LineRequest) -> list[ScoredLine]:
    """A table with the columns mflops and points (or performance), and as it likes line, seed, task and metric."""
    header = [str(name) for name in cells.header]
    points = "performance" if POINTS not in header and "performance" in header else POINTS
    words = [name for name in WORDS if name in header]
    columns = read_columns(cells, [MFLOPS, points], words)
    numbers = np.column_stack([columns.numbers[MFLOPS], columns.numbers[points]])
    lines: dict[str, dict[str, list[int]]] = {}
    metrics: dict[str, str] = {}
    tasks = columns.words.get("task")
    if tasks is not None and not request.task and len(set(tasks)) > 1:
        raise InputError(
            f"{cells.name}: rows of the tasks {', '.join(dict.fromkeys(tasks))}: which? task (--task NAME)"
        )
    for row in range(len(numbers)):
        if tasks is not None and request.task and tasks[row] != request.task:
            continue
        checked_rows([numbers[row]], columns.place(row))  # so that the place is the file's
        name = columns.words["line"][row] if "line" in columns.words else Path(cells.name).stem
        seed = columns.words["seed"][row] if "seed" in columns.words else "the table"
        metric = columns.words["metric"][row] if "metric" in columns.words else ""
        if metrics.setdefault(name, metric) != metric:
            raise InputError(f"{columns.place(row)}: {name} is scored by {metrics[name]} above, and here by {metric}")
        lines.setdefault(name, {}).setdefault(seed, []).append(row)
    if not lines:
        raise InputError(f"{cells.name}: no row is of the task {request.task}")
    task = request.task or (tasks[0] if tasks else "")
    return [
        ScoredLine(n, {seed: numbers[rows] for seed, rows in of.items()}, task, metric=metrics[n])
        for n, of in lines.items()
    ]


def _of_sweep(tables: SweepTables, request: LineRequest) -> list[ScoredLine]:
    """A line per exit policy, and one of the exits used alone, with its other metrics; a seed per trial."""
    metric = metric_of(tables)
    if metric.minimize:
        raise InputError(
            f"{tables.history.name}: its metric is {metric.name}, smaller is better: ELUE has none of these"
        )
    trials = _trials(tables, request.configuration)
    points = _on_test(tables, metric.name) if request.split == "test" else tables.operating_points
    points = points[points["trial"].isin(trials) & ~is_bound(points["policy"])].dropna(
        subset=["score", "inference_flops"]
    )
    labels = list(dict.fromkeys(points["policy"].astype(str)))
    wanted = _wanted(labels, request.policies)
    if not wanted:
        raise InputError(
            f"{tables.history.name}: {', '.join(trials)}: no operating point has a score on {request.split}"
        )
    name = request.configuration or str(tables.trials.set_index("trial").loc[trials[0], "configuration"])
    note = f"{name}, {len(trials)} seed(s): {metric.name} on {request.split} x {POINTS_PER_SHARE}"
    notes = (f"{tables.history.name}: {note}, MFLOPs of a mean example",)
    parameters = tables.trials.set_index("trial").loc[trials, "parameters"].dropna()
    mparams = None if parameters.empty else float(parameters.max()) / 1e6
    return [
        ScoredLine(
            name=f"{tables.history.name}/{name}/{label}",
            seeds=_by_trial(points[points["policy"] == label], trials),
            task=str(tables.spec.task.options.get("task") or ""),
            counted=CostConvention.FLOPS,
            mparams=mparams,
            choosable=label != STATIC,
            notes=notes,
            metric=metric.name,
            others=_others(tables, metric.name, trials, request.split) if label == STATIC else {},
        )
        for label in wanted
    ]


def _trials(tables: SweepTables, configuration: str) -> list[str]:
    """The trials of a configuration, or the one trial of that name; of the chosen configuration where none is named."""
    ended = tables.trials[tables.trials["status"] != "failed"]
    if not configuration:
        trials = [trial for trial in chosen_trials(tables).trials if trial in set(ended["trial"])]
        if not trials:
            raise InputError(f"{tables.history.name} has no configuration with a score yet")
        return sorted(trials)
    rows = ended[(ended["configuration"] == configuration) | (ended["trial"] == configuration)]
    if rows.empty:
        known = [*dict.fromkeys(ended["configuration"].astype(str)), *ended["trial"].astype(str)]
        raise UnknownNameError("configuration or trial", configuration, known)
    return sorted(rows["trial"].astype(str))


def _wanted(labels: Sequence[str], policies: Sequence[str]) -> list[str]:
    """The labels that are asked for by themselves or by their family, static first."""
    for name in policies:
        if not any(name in (label, family_of(label)) for label in labels):
            raise UnknownNameError("exit policy with points", name, labels)
    wanted = [label for label in labels if not policies or label in policies or family_of(label) in policies]
    return sorted(wanted, key=lambda label: (label != STATIC, labels.index(label)))


def _by_trial(points: pd.DataFrame, trials: Sequence[str]) -> dict[str, Floats]:
    """Trial -> [point, 2]: each place once, cheapest first."""
    rows = {}
    for trial in trials:
        own = points[points["trial"] == trial].drop_duplicates(["inference_flops", "score"])
        if len(own):
            own = own.sort_values("inference_flops", kind="stable")
            flops, scores = (own[name].to_numpy(dtype=np.float64) for name in ("inference_flops", "score"))
            rows[trial] = np.column_stack([flops / FLOPS_PER_MFLOP, scores * POINTS_PER_SHARE])
    return rows


def _on_test(tables: SweepTables, metric: str) -> pd.DataFrame:
    """As `operating_points`, on the test set: exits used alone, and the thresholds that were chosen on dev."""
    alone = _exits_on_test(tables)
    alone = alone.assign(policy=STATIC, score=alone.get(TEST + metric, np.nan))
    early = tables.thresholds_on_test.drop(columns="score", errors="ignore")
    early = early.rename(columns={"test_score": "score", "test_inference_flops": "inference_flops"})
    columns = ["trial", "policy", "score", "inference_flops"]
    return pd.concat([alone[columns], early[columns]], ignore_index=True)


def _exits_on_test(tables: SweepTables) -> pd.DataFrame:
    return tables.held_out.sort_values("evaluation", kind="stable").drop_duplicates(["trial", "exit"], keep="last")


def _exits_on_dev(tables: SweepTables) -> pd.DataFrame:
    """The exits at each trial's best epoch, of the last attempt that came there."""
    best = tables.trials.dropna(subset=["best_epoch"]).rename(columns={"best_epoch": "epoch"})[["trial", "epoch"]]
    there = tables.exits.merge(best.astype({"epoch": tables.exits["epoch"].dtype}), on=["trial", "epoch"])
    return there.sort_values("attempt", kind="stable").drop_duplicates(["trial", "exit"], keep="last")


def _others(tables: SweepTables, metric: str, trials: Sequence[str], split: Split) -> dict[str, Mapping[str, Floats]]:
    """Every other metric on record for the exits used alone, and the means of two of them, where more is better."""
    exits, prefix = (_exits_on_test(tables), TEST) if split == "test" else (_exits_on_dev(tables), DEV)
    values = {str(name).removeprefix(prefix): exits[name] for name in exits if str(name).startswith(prefix)}
    values |= {name: (values[a] + values[b]) / 2 for name, (a, b) in MEANS.items() if a in values and b in values}
    lines = {
        name: _by_trial(exits.assign(score=value).dropna(subset=["score", "inference_flops"]), trials)
        for name, value in values.items()
        if name != metric and not less_is_better(name)
    }
    return {name: seeds for name, seeds in lines.items() if len(seeds) == len(trials)}


def lines_by_name(lines: Sequence[ScoredLine]) -> Mapping[str, ScoredLine]:
    """Lines of several sources under names of their own. InputError where two have one name."""
    names: dict[str, Any] = {}
    for line in lines:
        if line.name in names:
            raise InputError(f"two lines are called {line.name}: name another configuration or policy")
        names[line.name] = line
    return names
