"""Runs that anybody logged to MLflow, as one tidy table: what `analysis.compare_groups` is about.

Columns are named as MLflow's own `search_runs` shows them, `metrics.acc`, `params.model`, `tags.user`, and besides
`duration` (start to end, in seconds) and `experiment` (its name). Of a metric MLflow gives the last value logged.

Only MLflow's public client is used: the experiments, then one search per page of runs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from greenexp.errors import InputError, did_you_mean
from greenexp.tracking import names
from greenexp.tracking.places import without_continued
from greenexp.tracking.runs import search
from greenexp.tracking.server import chosen_experiments, connect_existing, failures_as, redacted

DURATION, EXPERIMENT = "duration", "experiment"
COLUMNS = (
    "run", "name", "experiment", "status", "parent", "began_s", "duration_s", "logged", "score", "cost", "group", "own",
)  # fmt: skip
_MOST_NAMES = 12


@dataclass(frozen=True)
class ForeignRuns:
    """Runs as a table, and where they are from.

    runs: one row per run of every experiment in which some run has the score, by start time: run (id), name,
    experiment, status (MLflow's; KILLED of a trial that greenexp stopped), parent (id or ""), began_s (since 1970),
    duration_s (NaN: not ended), logged (has a score, finite or not), score (NaN: none), cost (NaN: not recorded),
    group (None: no value), own (greenexp's own)
    address: without a password; experiments: those of the table; left_out: experiments without the score, and their
    runs
    """

    runs: pd.DataFrame
    address: str
    experiments: tuple[str, ...]
    left_out: tuple[int, int]


def read_runs(
    uri: str,
    score: str,
    cost: str | None = None,
    by: str | None = None,
    *,
    experiments: Sequence[str] = (),
    query: str = "",
    test: str | None = None,
    also: Mapping[str, str] = MappingProxyType({}),
) -> ForeignRuns:
    """The runs at `uri` with what they scored, what they cost and which group they belong to, by one query.

    score, cost, by: column names (see the module); experiments: names or ids, all of them if there are none;
    query: a filter in MLflow's own language; test: column of another score, which the table has as `test`
    also: further columns -> what they are, for messages: in the table under their own names, None where there is none
    Raises TrackingError for an address, an experiment or a filter that MLflow does not take, and InputError, naming the
    nearest there is, for a column that no run has or that is no number where one is needed.
    """
    client = connect_existing(uri)
    with failures_as(uri):
        chosen = chosen_experiments(client, uri, experiments)
        found = without_continued(search(client, list(chosen), query)) if chosen else []
    found.sort(key=lambda run: (run.info.start_time, run.info.run_id))
    rows = [_values(run, chosen[run.info.experiment_id]) for run in found]
    named = [
        ("score", score),
        ("cost", cost),
        ("by", by),
        ("test", test),
        *((role, name) for name, role in also.items()),
    ]
    for role, column in named:
        if column is not None:
            _check(role, column, rows, redacted(uri), query)
    scored = {run.info.experiment_id for run, row in zip(found, rows, strict=True) if score in row}
    further = [name for name in also if name not in COLUMNS]
    table = [
        (*_row(run, row, score, cost, by), *(row.get(name) for name in further))
        for run, row in zip(found, rows, strict=True)
        if run.info.experiment_id in scored
    ]
    frame = pd.DataFrame(table, columns=[*COLUMNS, *further])
    if test is not None:
        values = dict(zip((run.info.run_id for run in found), rows, strict=True))
        frame["test"] = [_number("test", test, values[run], run) for run in frame["run"]]
    others = {run.info.experiment_id for run in found} - scored
    return ForeignRuns(
        runs=frame,
        address=redacted(uri),
        experiments=tuple(name for number, name in chosen.items() if number in scored),
        left_out=(len(others), len(found) - len(table)),
    )


def _values(run: Any, experiment: str) -> dict[str, Any]:
    """Column name -> value of everything a run can be asked for."""
    values: dict[str, Any] = {EXPERIMENT: experiment}
    for kind, pairs in (("metrics", run.data.metrics), ("params", run.data.params), ("tags", run.data.tags)):
        values.update({f"{kind}.{name}": value for name, value in pairs.items()})
    if run.info.end_time:
        values[DURATION] = (run.info.end_time - run.info.start_time) / 1000
    return values


def _row(run: Any, values: Mapping[str, Any], score: str, cost: str | None, by: str | None) -> tuple[Any, ...]:
    """One row of the table, in the order of COLUMNS."""
    paid = math.nan if cost is None else _number("cost", cost, values, run.info.run_id)
    if paid < 0 or math.isinf(paid):
        raise InputError(
            f"cost {cost}: run {run.info.run_id} has {values[str(cost)]}; a cost is finite and not negative"
        )
    group = values.get(by, "") if by is not None else ""
    return (
        run.info.run_id,
        run.info.run_name or "",
        values[EXPERIMENT],
        _state(run),
        run.data.tags.get(names.PARENT, ""),
        run.info.start_time / 1000,
        values.get(DURATION, math.nan),
        score in values,
        _number("score", score, values, run.info.run_id),
        paid,
        str(group) if group != "" else None,
        names.KIND in run.data.tags,
    )


def _state(run: Any) -> str:
    """What became of a run. A trial that greenexp stopped has ended well for MLflow, and is no whole training."""
    return "KILLED" if run.data.tags.get(names.STATUS) == "stopped" else str(run.info.status)


def _number(role: str, column: str, values: Mapping[str, Any], run: str) -> float:
    """The value as a number, NaN if there is none. MLflow's databases keep an infinite metric as the largest float."""
    value = values.get(column, math.nan)
    try:
        number = float(value)
    except ValueError:
        raise InputError(f"{role} {column}: expected numbers, and run {run} has '{value}'") from None
    return math.copysign(math.inf, number) if abs(number) >= sys.float_info.max else number


def _check(role: str, column: str, rows: Sequence[Mapping[str, Any]], address: str, query: str) -> None:
    """InputError if no run has the column."""
    if any(column in row for row in rows):
        return
    where = f"at {address}{f' that answers {query}' if query else ''}"
    if not rows:
        raise InputError(f"there is no run {where}")
    kinds = ("metrics.",) if role in {"score", "test"} else ("metrics.", "params.", "tags.")
    known = sorted({name for row in rows for name in row if name.startswith(kinds) and not _internal(name)})
    if role not in {"score", "test"}:
        known.append(DURATION if role == "cost" else EXPERIMENT)
    raise InputError(f"{role} {column}: no run {where} has it{_nearest(column, known)} (there are: {_listed(known)})")


def _nearest(column: str, known: Sequence[str]) -> str:
    """A hint at the same name under its full name, or at the nearest one."""
    bare = column.partition(".")[2] or column
    same = [name for name in known if name.partition(".")[2] == bare]
    return f" (did you mean '{same[0]}'?)" if same else did_you_mean(column, known)


def _internal(name: str) -> bool:
    return name.startswith(("tags.mlflow.", "tags.greenexp."))


def _listed(known: Sequence[str]) -> str:
    more = len(known) - _MOST_NAMES
    return (", ".join(known[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")) or "none"
