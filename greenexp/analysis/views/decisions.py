"""What the scheduler decided and why, a sentence each with the numbers that were compared.

A configuration's value at a rung is compared with those that had come to the same rung of the same bracket by then. The
place of a value is 1 plus the number of better ones among them, itself included; a configuration that came again
counts once, with its latest value. The cutoff is the scheduler's own, as it was recorded.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.analysis.sweeps.scheduling import SweepScheduler, recorded_scheduler
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.named import check_one_of, trial_named
from greenexp.records.axes import EPOCHS, rung_name
from greenexp.records.tables import SweepTables

DECISIONS = (
    "number", "time_s", "trial", "configuration", "action", "bracket", "rung", "level", "rung_name", "value", "cutoff",
    "seeds", "noise", "front", "place", "compared", "reason", "sentence",
)  # fmt: skip
_ACTIONS = {"go_on": "went on", "stop": "was stopped", "pause": "was paused"}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What sentences about decisions need to know of the sweep."""

    metric: SweepMetric
    scheduler: SweepScheduler
    several_brackets: bool
    reported: frozenset[str]

    @property
    def units(self) -> str:
        return "trials" if self.scheduler.per_trial else "configurations"


def scheduler_decisions(tables: SweepTables, *, action: str = "", trial: str = "") -> Findings:
    """Every decision of the scheduler, in the order in which they fell, with a sentence that says why.

    action: only `go_on`, `stop` or `pause`; trial: only those on this trial
    InputError for another action or trial
    Table `decisions`: DECISIONS. place: of the value among the `compared` that had come to the rung by then, from 1,
    NA where nothing was compared; rung: in epochs; level: in the unit of the axis that the rungs lie on (NaN: epochs)
    """
    check_one_of("action", action, ("", *_ACTIONS))
    if trial:
        trial_named(tables, trial)
    table = decision_table(tables)
    if table.empty:
        scheduler = recorded_scheduler(tables)
        why = "has decided nothing yet" if scheduler.stops else "never stops a trial, so that it decides nothing"
        return Findings(refusal=f"the scheduler ({scheduler.name}) {why}")
    shown = table[(table["action"] == action) | (not action)]
    shown = shown[(shown["trial"] == trial) | (not trial)].reset_index(drop=True)
    if shown.empty:
        return Findings(refusal="no decision is of this kind")
    counts = shown["action"].value_counts()
    parts = [f"{counts[name]} {words}" for name, words in _SUMMARY.items() if name in counts]
    units = _rules(tables).units
    return Findings(
        verdict=(f"{len(shown)} decisions: {', '.join(parts)}.",),
        tables={"decisions": shown, COLUMNS: _columns(metric_of(tables))},
        titles={"decisions": "Decisions of the scheduler", COLUMNS: "Columns"},
        notes=(
            f"Compared are {units} that had come to the same rung of the same bracket by then.",
            "Going on between rungs, where nothing is compared, is not listed.",
        ),
    )


_SUMMARY = {"go_on": "to go on", "stop": "to stop", "pause": "to wait"}


def _columns(metric: SweepMetric) -> pd.DataFrame:
    return described(
        ViewColumn("time_s", "Time since the sweep began", "s"),
        of_score(metric, "value"),
        of_score(metric, "cutoff"),
        ViewColumn("place", "Place at the rung"),
        ViewColumn("compared", "Compared at the rung"),
    )


def decision_table(tables: SweepTables) -> pd.DataFrame:
    """The table `decisions` of `scheduler_decisions`, of all decisions; empty without any."""
    rules, rows = _rules(tables), []
    seen: dict[tuple[Any, ...], _Standing] = {}
    for number, row in enumerate(tables.decisions.to_dict("records"), start=1):
        place, compared = _place(row, rules, seen)
        name = _rung_name(row, rules)
        told = {**row, "place": place, "compared": compared, "rung_name": name}
        rows.append({**told, "number": number, "sentence": _sentence(told, rules)})
    frame = pd.DataFrame(rows, columns=list(DECISIONS))
    kept = [column for column in tables.decisions if column in DECISIONS]
    return frame.astype({**tables.decisions[kept].dtypes.to_dict(), "place": "Int64", "compared": "Int64"})


def _rules(tables: SweepTables) -> _Rules:
    several = len(tables.decisions["bracket"].unique()) > 1
    reported = frozenset(map(str, tables.epochs["trial"]))
    return _Rules(metric_of(tables), recorded_scheduler(tables), several, reported)


class _Standing:
    """The values that have come to one rung, the latest of each unit; greater is better."""

    def __init__(self) -> None:
        self._own: dict[str, float] = {}
        self._sorted: list[float] = []

    def place(self, unit: str, value: float) -> tuple[int, int]:
        """The place of the unit's value, from 1, and the number of units, this one taken in."""
        before = self._own.get(unit)
        if before is not None:
            del self._sorted[bisect_left(self._sorted, before)]
        self._own[unit] = value
        insort(self._sorted, value)
        return len(self._sorted) - bisect_right(self._sorted, value) + 1, len(self._sorted)


def _place(row: Mapping[Any, Any], rules: _Rules, seen: dict[tuple[Any, ...], _Standing]) -> tuple[Any, Any]:
    """Place and number of those compared, with this one taken in; NA where nothing was compared.

    A place among fronts was recorded by the scheduler itself.
    """
    if pd.isna(row["value"]) or pd.isna(row["rung"]):
        return pd.NA, pd.NA
    unit = str(row["trial"] if rules.scheduler.per_trial else row["configuration"])
    at = row["rung"] if pd.isna(row["level"]) else row["level"]
    seeds = None if pd.isna(row["seeds"]) else int(row["seeds"])
    standing = seen.setdefault((row["bracket"], float(at), seeds), _Standing())
    sign = -1.0 if rules.metric.minimize else 1.0
    place, compared = standing.place(unit, sign * float(row["value"]))
    return (place if pd.isna(row["place"]) else int(row["place"])), compared


def _rung_name(row: Mapping[Any, Any], rules: _Rules) -> str:
    if pd.isna(row["rung"]):
        return ""
    resource = rules.scheduler.resource
    if resource == EPOCHS or pd.isna(row["level"]):
        return rung_name(EPOCHS, float(row["rung"]))
    return rung_name(resource, float(row["level"]))


def _sentence(row: Mapping[Any, Any], rules: _Rules) -> str:
    """Who, what, where, with which numbers, and the scheduler's own words."""
    where = f" of bracket {row['bracket']}" if rules.several_brackets else ""
    rung = str(row["rung_name"])
    what = _ACTIONS.get(str(row["action"]), str(row["action"]))
    if row["action"] == "stop" and row["trial"] not in rules.reported:
        what = "was given up before it began"
    after = f" at rung {rung}{where}" if rung else ""
    if rung.startswith("epoch") and not where:
        after = f" after {rung}"
    compared, reason = _compared(row, rules), str(row["reason"]).rstrip(".")
    if compared and reason:
        return f"Trial {row['trial']} {what}{after}: {compared} ({reason})."
    reason = f"it {reason}" if reason.startswith("waits ") else reason
    return f"Trial {row['trial']} {what}{after}{f': {compared or reason}' if compared or reason else ''}."


def _compared(row: Mapping[Any, Any], rules: _Rules) -> str:
    """The value with what it was compared with, and its place."""
    if pd.isna(row["value"]):
        return ""
    seeds = "" if pd.isna(row["seeds"]) or rules.scheduler.per_trial else f", mean of {_seeds(int(row['seeds']))}"
    whose = "its score" if rules.scheduler.per_trial else "its configuration's score"
    value, cutoff = float(row["value"]), float(row["cutoff"])
    parts = [f"{whose} {value:.4g}{seeds}"]
    if not math.isnan(cutoff):
        parts = [f"{parts[0]}{',' if seeds else ''} was {_relation(value, cutoff)} the cutoff {cutoff:.4g}"]
    if not pd.isna(row["compared"]) and int(row["compared"]) > 1:
        front = "" if pd.isna(row["front"]) else f" (front {int(row['front'])})"
        place = ordinal(int(row["place"]))
        parts.append(f"the {place}{front} of the {int(row['compared'])} {rules.units} that had come there")
    return ", ".join(parts)


def _relation(value: float, cutoff: float) -> str:
    """How a value lies to a cutoff, at the digits that are shown."""
    if f"{value:.4g}" == f"{cutoff:.4g}" and value != cutoff:
        return f"{'just above' if value > cutoff else 'just below'}"
    return "equal to" if value == cutoff else "above" if value > cutoff else "below"


def ordinal(number: int) -> str:
    """`best`, `2nd best`, `3rd best`, ..."""
    if number == 1:
        return "best"
    teens = 10 <= number % 100 < 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')} best"


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"
