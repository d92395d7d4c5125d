"""What the scheduler decided and why, a sentence each with the numbers that were compared.

A configuration's value at a rung is set beside those of all that had been judged at the same rung of the same bracket
by then, itself and those judged with it included. Its place is 1 plus the number of better ones among them; a
configuration that was judged again counts once, with its latest value. The cutoff is the scheduler's own, as recorded.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.analysis.sweeps.scheduling import SweepScheduler, recorded_scheduler
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.named import check_one_of, trial_named
from greenexp.analysis.views.wording import counted, ordinal, told_apart
from greenexp.records.axes import EPOCHS, rung_name
from greenexp.records.tables import SweepTables

DECISIONS = (
    "number", "time_s", "trial", "configuration", "action", "bracket", "rung", "level", "rung_name", "value", "cutoff",
    "seeds", "noise", "front", "place", "compared", "sentence", "reason",
)  # fmt: skip
_ACTIONS = {"go_on": "went on", "stop": "was stopped", "pause": "was paused"}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What sentences about decisions need to know of the sweep."""

    metric: SweepMetric
    scheduler: SweepScheduler
    several_brackets: bool
    first_reports: Mapping[Any, float]
    report_times: tuple[float, ...]

    @property
    def units(self) -> str:
        return "trials" if self.scheduler.per_trial else "configurations"

    def before_its_first_report(self, row: Mapping[Any, Any]) -> bool:
        """Whether the trial of a decision had not reported by then."""
        return bool(self.first_reports.get(row["trial"], math.inf) > row["time_s"])


def scheduler_decisions(tables: SweepTables, *, action: str = "", trial: str = "") -> Findings:
    """Every decision of the scheduler, in the order in which they fell, with a sentence that says why.

    action: only `go_on`, `stop` or `pause`; trial: only those on this trial
    InputError for another action or trial
    Table `decisions`: DECISIONS. place: of the value among the `compared` that had been judged there by then, from
    1, NA where nothing was compared; rung: in epochs; level: in the unit of the rungs' axis (NaN: epochs)
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
            f"Places are among all {units} that had been judged at the same rung of the same bracket by then.",
            "Going on between rungs, where nothing is compared, is not listed.",
        ),
    )


_SUMMARY = {"go_on": "to go on", "stop": "to stop", "pause": "to wait"}


def _columns(metric: SweepMetric) -> pd.DataFrame:
    return described(
        ViewColumn("time_s", "Time since the sweep began", "s"),
        of_score(metric, "value")._replace(title="Score compared"),
        of_score(metric, "cutoff")._replace(title="Cutoff"),
        ViewColumn("place", "Place at the rung"),
        ViewColumn("compared", "Compared at the rung"),
    )


def decision_table(tables: SweepTables) -> pd.DataFrame:
    """The table `decisions` of `scheduler_decisions`, of all decisions; empty without any."""
    rules = _rules(tables)
    given = tables.decisions.to_dict("records")
    rows = []
    for number, (row, (place, compared)) in enumerate(zip(given, _places(given, rules), strict=True), start=1):
        told = {**row, "place": place, "compared": compared, "rung_name": _rung_name(row, rules)}
        rows.append({**told, "number": number, "sentence": _sentence(told, rules)})
    frame = pd.DataFrame(rows, columns=list(DECISIONS))
    kept = [column for column in tables.decisions if column in DECISIONS]
    return frame.astype({**tables.decisions[kept].dtypes.to_dict(), "place": "Int64", "compared": "Int64"})


def _rules(tables: SweepTables) -> _Rules:
    several = len(tables.decisions["bracket"].unique()) > 1
    epochs = tables.epochs
    first = epochs.groupby("trial", sort=False)["time_s"].min()
    times = tuple(sorted(epochs["time_s"].tolist()))
    return _Rules(metric_of(tables), recorded_scheduler(tables), several, first.to_dict(), times)


class _Standing:
    """The values that have come to one rung, the latest of each unit; greater is better."""

    def __init__(self) -> None:
        self._own: dict[str, float] = {}
        self._sorted: list[float] = []

    def add(self, unit: str, value: float) -> None:
        """Take in a value, in the place of what the unit had before."""
        before = self._own.get(unit)
        if before is not None:
            del self._sorted[bisect_left(self._sorted, before)]
        self._own[unit] = value
        insort(self._sorted, value)

    def place(self, value: float) -> tuple[int, int]:
        """The place of a value that was taken in, from 1, and the number of units."""
        return len(self._sorted) - bisect_right(self._sorted, value) + 1, len(self._sorted)


Row = Mapping[Any, Any]


def _places(rows: Sequence[Row], rules: _Rules) -> Iterator[tuple[Any, Any]]:
    """Of each decision, place and number of those judged there so far; NA where nothing was compared.

    Decisions that follow the same report fall together, as where a scheduler waits for all before it judges: they are
    taken in before any of them gets its place. A place among fronts was recorded by the scheduler itself.
    """
    sign = -1.0 if rules.metric.minimize else 1.0
    seen: dict[tuple[Any, ...], _Standing] = {}
    for _, together in groupby(rows, key=lambda row: bisect_right(rules.report_times, float(row["time_s"]))):
        batch = list(together)
        keys = [_key(row) for row in batch]
        for row, key in zip(batch, keys, strict=True):
            if key is not None:
                unit = str(row["trial"] if rules.scheduler.per_trial else row["configuration"])
                seen.setdefault(key, _Standing()).add(unit, sign * float(row["value"]))
        for row, key in zip(batch, keys, strict=True):
            if key is None:
                yield pd.NA, pd.NA
                continue
            place, compared = seen[key].place(sign * float(row["value"]))
            yield (place if pd.isna(row["place"]) else int(row["place"])), compared


def _key(row: Row) -> tuple[Any, ...] | None:
    """The rung at which a decision compared; None if it compared nothing."""
    if pd.isna(row["value"]) or pd.isna(row["rung"]):
        return None
    at = row["rung"] if pd.isna(row["level"]) else row["level"]
    return row["bracket"], float(at), None if pd.isna(row["seeds"]) else int(row["seeds"])


def _rung_name(row: Row, rules: _Rules) -> str:
    if pd.isna(row["rung"]):
        return ""
    resource = rules.scheduler.resource
    if resource == EPOCHS or pd.isna(row["level"]):
        return rung_name(EPOCHS, float(row["rung"]))
    return rung_name(resource, float(row["level"]))


def _sentence(row: Row, rules: _Rules) -> str:
    """Who, what, where, with which numbers, and the scheduler's own words."""
    reason, used = str(row["reason"]).rstrip("."), ""
    rung = str(row["rung_name"])
    at_cost = re.fullmatch(r"at [^(]*\(([^)]*)\): (.*)", reason)
    if at_cost is not None:
        used, reason = f" ({at_cost[1]})", at_cost[2]
    where = f" of bracket {row['bracket']}" if rules.several_brackets else ""
    after = f" at rung {rung}{where}{used}" if rung else ""
    if rung.startswith("epoch") and not where:
        after = f" after {rung}"
    what = f"{_ACTIONS.get(str(row['action']), str(row['action']))}{after}"
    if row["action"] != "pause" and rules.before_its_first_report(row):
        stopped = row["action"] == "stop"
        what = f"was given up before it began, as its configuration was stopped{after}" if stopped else what
        reason = reason.removeprefix("its configuration was stopped: ") if stopped else reason
    compared = _compared(row, rules)
    if compared and reason:
        return f"Trial {row['trial']} {what}: {compared} ({reason})."
    reason = f"it {reason}" if reason.startswith("waits ") else reason
    return f"Trial {row['trial']} {what}{f': {compared or reason}' if compared or reason else ''}."


def _compared(row: Row, rules: _Rules) -> str:
    """The value with what it was compared with, and its place."""
    if pd.isna(row["value"]):
        return ""
    of_seeds = not pd.isna(row["seeds"]) and not rules.scheduler.per_trial
    seeds = f" (mean of {counted(int(row['seeds']), 'seed')})" if of_seeds else ""
    whose = "its score" if rules.scheduler.per_trial else "its configuration's score"
    value, cutoff = float(row["value"]), float(row["cutoff"])
    parts = [f"{whose} was {value:.4g}{seeds}"]
    if not math.isnan(cutoff):
        shown, limit = told_apart(value, cutoff)
        relation = "equal to" if value == cutoff else "above" if value > cutoff else "below"
        parts = [f"{whose} {shown}{seeds} was {relation} the cutoff {limit}"]
    if not pd.isna(row["compared"]) and int(row["compared"]) > 1:
        front = "" if pd.isna(row["front"]) else f" (front {int(row['front'])})"
        place = ordinal(int(row["place"]))
        parts.append(f"and it was {place}{front} of the {int(row['compared'])} {rules.units} judged there so far")
    return ", ".join(parts)
