"""Why a trial is where it is: stopped, failed, given up, finished or not ended, in one or two sentences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.savings import abandoned
from greenexp.analysis.views.decisions import decision_table
from greenexp.analysis.views.named import trial_named
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.records.worth import WORTH
from greenexp.units import format_quantity


def why(tables: SweepTables, trial: str) -> str:
    """Why `trial` ended where it did, or why it has not ended, in plain sentences with numbers.

    InputError for a trial that the sweep does not have.
    """
    trial_named(tables, trial)
    return reasons_why(tables)[trial]


def reasons_why(tables: SweepTables) -> dict[str, str]:
    """Trial -> what `why` says of it, of all trials, in plan order."""
    decisions = decision_table(tables)
    stops = decisions[decisions["action"] == "stop"].drop_duplicates("trial", keep="last")
    waits = decisions[decisions["action"] == "pause"].drop_duplicates("trial", keep="last")
    sentences = {
        "stopped": dict(zip(stops["trial"], stops["sentence"], strict=True)),
        "paused": dict(zip(waits["trial"], waits["sentence"], strict=True)),
    }
    by_failure = set(tables.trials.loc[abandoned(tables), "trial"])
    told = {}
    for row in tables.trials.to_dict("records"):
        trial, status = str(row["trial"]), str(row["status"])
        decided = sentences.get(status, {}).get(trial, "")
        if trial in by_failure:
            failed = _failed_seeds(tables, str(row["configuration"]))
            told[trial] = f"{_so_far(row, 'ended')}, as another seed of its configuration failed ({failed})."
        elif decided:
            told[trial] = f"{decided}{_best(row, tables)}"
        else:
            told[trial] = _other(row, tables)
    return told


def _other(row: dict[Any, Any], tables: SweepTables) -> str:
    """What a trial's status and reason say, without a decision on it."""
    status, reason = str(row["status"]), str(row["reason"]).rstrip(".")
    if status == "finished":
        begin = _so_far(row, "finished") if not reason else f"Trial {row['trial']} {reason}"
        return f"{begin}.{_best(row, tables)}"
    if status == "failed":
        attempts = f" in attempt {row['attempts']}" if row["attempts"] > 1 else ""
        score = " Its score does not count." if not pd.isna(row["score"]) else ""
        return f"{_so_far(row, 'failed')}{attempts}: {reason or 'no reason is on record'}.{score}"
    if status == "stopped":
        return f"{_so_far(row, 'was stopped')}: {reason or 'no reason is on record'}.{_best(row, tables)}"
    what = {"planned": "has not begun", "running": "is training", "paused": "is paused"}.get(status, "was interrupted")
    begin = f"Trial {row['trial']} {what}" if status == "planned" else _so_far(row, what)
    return f"{begin}{f': {reason}' if reason else ''}.{_limit(tables)}{_best(row, tables)}"


def _so_far(row: dict[Any, Any], what: str) -> str:
    after = f"after epoch {row['epochs']:g} of {row['max_epochs']}" if row["epochs"] else "before its first report"
    return f"Trial {row['trial']} {what} {after}"


def _best(row: dict[Any, Any], tables: SweepTables) -> str:
    """Its best score, if it has one."""
    if pd.isna(row["score"]):
        return ""
    at = "" if pd.isna(row["best_epoch"]) else f", at epoch {row['best_epoch']:g}"
    return f" Its best {metric_of(tables).label} is {row['score']:.4g}{at}."


def _limit(tables: SweepTables) -> str:
    """That the sweep ended at a limit, if it did; else that it has not ended."""
    limit = tables.history.limit
    if limit is None:
        return "" if tables.history.complete else " The sweep has not ended."
    if limit.axis == WORTH:
        return " The sweep ended as another configuration was expected to gain too little for its cost (budget.worth)."
    row = AXES.get(limit.axis)
    unit, title = (row.unit, row.title.lower()) if row else ("", limit.axis)
    used = "" if limit.used is None else f", with {format_quantity(limit.used, unit)} used"
    return f" The sweep reached its limit of {format_quantity(limit.limit, unit)} {title} ({limit.axis}){used}."


def _failed_seeds(tables: SweepTables, configuration: str) -> str:
    trials = tables.trials
    rows = trials[(trials["configuration"] == configuration) & (trials["status"] == "failed")]
    return "; ".join(
        f"{trial}: {reason or 'no reason is on record'}"
        for trial, reason in zip(rows["trial"], rows["reason"], strict=True)
    )
