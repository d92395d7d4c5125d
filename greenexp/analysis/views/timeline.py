"""Who held which worker when: training, set-up, work that was lost or done again, waiting, sessions of the driver.

A stint is one stay of a trial at a worker. The journal says when it began and ended; of a sweep read from elsewhere it
is derived from the reports: those of one attempt that follow each other without a pause are one stint, which began at
the first report's time less its `wall_s`. Within a stint, with t_k the time of its report k and w_k its `wall_s`,

    set-up           from the stint's beginning to t_1 - w_1
    training         from max(t_(k-1), t_k - w_k) to t_k: training, evaluation on dev, and at first what sets up a model
    done again       the same, of work that a later attempt did again
    saving           after the last report, of a stint that a pause or a stop ended
    lost             after the last report, of a stint that broke off: work that no report covers
    under way        after the last report, of a stint that lasts

Which worker of a node a trial held is not on record. Stints are dealt to slots in the order in which they began, each
to the first slot that is free: the number of slots is the greatest number of workers that were held at once. Seeds that
a worker trains as one model have one slot, and each its own seat there. Their seconds are equal parts of the worker's:
w_k is the `wall_s` of a report times `fused_seeds`, and the sums over segments and stints are those of workers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described
from greenexp.analysis.views.searched import settings_texts
from greenexp.analysis.views.wording import counted
from greenexp.records.stints import DRIVER_ENDED, Stint
from greenexp.records.tables import SweepTables
from greenexp.units import format_duration

SET_UP, TRAINING, AGAIN, SAVING, LOST, UNDER_WAY = "set-up", "training", "done again", "saving", "lost", "under way"
KINDS = (TRAINING, SET_UP, SAVING, AGAIN, LOST, UNDER_WAY)
SEGMENTS = (
    "slot", "seat", "trial", "configuration", "settings", "attempt", "kind", "epoch", "score", "start_s", "end_s",
    "seconds",
)  # fmt: skip
STINTS = (
    "slot", "seat", "trial", "configuration", "attempt", "after", "start_s", "end_s", "seconds", "end", "reports",
)  # fmt: skip
EVENTS = ("time_s", "slot", "seat", "trial", "kind", "text")
SESSIONS = ("session", "start_s", "end_s", "end")
SLOTS = ("slot", "stints", "held_s", "training_s", "share")
BROKE_OFF, STOPPED, PAUSED, ON_TEST = "broke off", "stopped", "paused", "evaluated on test"
_BROKEN = ("failed", "interrupted", DRIVER_ENDED)
_ROUNDING_S = 1e-6
_CONTIGUOUS_S = 1.0
"""Reports of one attempt further apart than this, beyond what the later one took, are two derived stints."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A stint with its slot, its seat there, and its reports, in order."""

    slot: int
    seat: int
    stint: Stint
    reports: tuple[dict[Any, Any], ...]


def worker_timeline(tables: SweepTables) -> Findings:
    """Tables `segments` (SEGMENTS), `stints` (STINTS), `events` (EVENTS), `sessions` (SESSIONS), `slots` (SLOTS).

    Times are seconds since the sweep began. epoch, score: of the report that a segment led to, NaN where none did;
    slot, seat: from 1, see the module; seconds: of the worker, an equal part where it trained several seeds
    share: of the time in which a driver was at work, that the slot was held
    """
    stints, derived = stints_of(tables)
    if not stints:
        return Findings(refusal="no trial has got a worker yet")
    now = _now(tables, stints)
    held = _with_reports(tables, _in_slots(stints, now))
    segments = _segments(tables, held, now)
    rows = pd.DataFrame([_stint_row(one, now) for one in held], columns=list(STINTS))
    configuration = dict(zip(tables.trials["trial"], tables.trials["configuration"], strict=True))
    rows["configuration"] = rows["trial"].map(configuration)
    sessions = _sessions(tables)
    slots = _slots(rows, segments, sessions, now)
    return Findings(
        verdict=_verdict(rows, segments, slots),
        tables={
            "segments": segments, "stints": rows, "events": _events(tables, held), "sessions": sessions,
            "slots": slots,
            COLUMNS: described(
                ViewColumn("start_s", "Time since the sweep began", "s"), ViewColumn("slot", "Worker"),
                ViewColumn("seat", "Seed of the worker's model"), ViewColumn("seconds", "Worker time", "s"),
            ),
        },
        titles={
            "segments": "What workers did when", "stints": "When trials held workers",
            "events": "When trials left their workers, and evaluations on the test set",
            "sessions": "When drivers were at work", "slots": "How long workers were held", COLUMNS: "Columns",
        },
        notes=_notes(tables, derived=derived, without_sessions=sessions.empty),
    )  # fmt: skip


def stints_of(tables: SweepTables) -> tuple[tuple[Stint, ...], bool]:
    """The stints on record, or those that the reports tell of, and whether they are derived."""
    recorded = tables.history.stints
    if recorded or tables.epochs.empty:
        return recorded, False
    return tuple(sorted(_derived(tables), key=lambda stint: stint.began_s)), True


def _derived(tables: SweepTables) -> Iterator[Stint]:
    status = dict(zip(tables.trials["trial"], tables.trials["status"], strict=True))
    reports: dict[str, list[dict[Any, Any]]] = {}
    columns = tables.epochs[["trial", "attempt", "time_s"]].assign(wall_s=_elapsed(tables.epochs))
    for row in columns.sort_values("time_s", kind="stable").to_dict("records"):
        reports.setdefault(str(row["trial"]), []).append(row)
    for trial, rows in reports.items():
        groups: list[list[dict[Any, Any]]] = []
        for row in rows:
            last = groups[-1][-1] if groups else None
            whole = last is not None and last["attempt"] == row["attempt"]
            if whole and last is not None and row["time_s"] - row["wall_s"] - last["time_s"] <= _CONTIGUOUS_S:
                groups[-1].append(row)
            else:
                groups.append([row])
        for place, group in enumerate(groups):
            after = groups[place + 1] if place + 1 < len(groups) else None
            again = after is not None and after[0]["attempt"] != group[0]["attempt"]
            end = ("interrupted" if again else "paused") if after else _end(str(status[trial]))
            began = group[0]["time_s"] - group[0]["wall_s"]
            ended = None if not end else float(group[-1]["time_s"])
            yield Stint(trial, int(group[0]["attempt"]), math.nan, float(began), ended, end)


def _elapsed(epochs: pd.DataFrame) -> pd.Series:
    """Seconds that each report took: seeds that are trained as one model have equal parts of them on record."""
    return epochs["wall_s"] * epochs["fused_seeds"].fillna(1).astype("float64")


def _end(status: str) -> str:
    return "" if status == "running" else status


def _now(tables: SweepTables, stints: Sequence[Stint]) -> float:
    """Up to when the record goes."""
    times = [stint.ended_s or stint.began_s for stint in stints]
    times += [span.last_s for span in tables.history.spans]
    return float(max([*times, *tables.epochs["time_s"].tolist()]))


def _in_slots(stints: Sequence[Stint], now: float) -> list[tuple[int, Stint]]:
    """Each stint with the first slot that is free when it begins, or that the seeds beside it have."""
    free_from: list[float] = []
    shared: dict[tuple[str, ...], tuple[int, set[str]]] = {}
    dealt = []
    for stint in sorted(stints, key=lambda one: one.began_s):
        slot, there = shared.get(stint.together, (len(free_from), set()))
        is_held = slot < len(free_from) and free_from[slot] > stint.began_s + _ROUNDING_S
        if not there or (stint.trial in there and not is_held):
            slot = next((k for k, free in enumerate(free_from) if free <= stint.began_s + _ROUNDING_S), len(free_from))
            there = set()
        if slot == len(free_from):
            free_from.append(0.0)
        if stint.beside:
            shared[stint.together] = slot, there | {stint.trial}
        free_from[slot] = max(free_from[slot], now if stint.ended_s is None else stint.ended_s)
        dealt.append((slot + 1, stint))
    return dealt


def _with_reports(tables: SweepTables, dealt: Sequence[tuple[int, Stint]]) -> list[_Held]:
    """A stint's reports are those of its trial and attempt within its time."""
    reports: dict[tuple[str, int], list[dict[Any, Any]]] = {}
    epochs = tables.epochs.assign(wall_s=_elapsed(tables.epochs))
    for row in epochs.sort_values("time_s", kind="stable").to_dict("records"):
        reports.setdefault((str(row["trial"]), int(row["attempt"])), []).append(row)
    held = []
    for slot, stint in dealt:
        until = float("inf") if stint.ended_s is None else stint.ended_s + _ROUNDING_S
        own = [r for r in reports.get((stint.trial, stint.attempt), ()) if stint.began_s < r["time_s"] <= until]
        held.append(_Held(slot, stint.together.index(stint.trial) + 1, stint, tuple(own)))
    return held


def _segments(tables: SweepTables, held: Sequence[_Held], now: float) -> pd.DataFrame:
    settings = settings_texts(tables)
    configuration = dict(zip(tables.trials["trial"], tables.trials["configuration"], strict=True))
    rows = []
    for one in held:
        name = configuration[one.stint.trial]
        known = {
            "slot": one.slot, "seat": one.seat, "trial": one.stint.trial, "configuration": name,
            "settings": settings.get(name, ""), "attempt": one.stint.attempt,
        }  # fmt: skip
        seeds = len(one.stint.together)
        for kind, start, end, report in _parts(one, now):
            told = {"epoch": report["epoch"], "score": report["score"]} if report else {}
            rows.append({**known, **told, "kind": kind, "start_s": start, "end_s": end,
                         "seconds": (end - start) / seeds})  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(SEGMENTS))
    return frame.astype({"epoch": "float64", "score": "float64"})


Part = tuple[str, float, float, dict[Any, Any] | None]


def _parts(one: _Held, now: float) -> Iterator[Part]:
    """(kind, start, end, report) of a stint, without what took no time."""
    at = one.stint.began_s
    for report in one.reports:
        start = max(at, float(report["time_s"]) - float(report["wall_s"]))
        if report is one.reports[0] and start > at:
            yield SET_UP, at, start, None
        yield AGAIN if report["repeated"] else TRAINING, start, float(report["time_s"]), report
        at = float(report["time_s"])
    end = now if one.stint.ended_s is None else one.stint.ended_s
    if end > at + _ROUNDING_S:
        yield _rest(one.stint), at, end, None


def _rest(stint: Stint) -> str:
    """What the time after the last report of a stint was."""
    if not stint.end:
        return UNDER_WAY
    return LOST if stint.end in _BROKEN else SAVING


def _stint_row(one: _Held, now: float) -> tuple[Any, ...]:
    stint = one.stint
    end = now if stint.ended_s is None else stint.ended_s
    began = stint.began_s
    return (
        one.slot, one.seat, stint.trial, "", stint.attempt, float(stint.after), began, end,
        (end - began) / len(stint.together), stint.end, len(one.reports),
    )  # fmt: skip


def _events(tables: SweepTables, held: Sequence[_Held]) -> pd.DataFrame:
    """Ends of stints that are no plain finish, in the order of time, and evaluations on the test set."""
    kinds = {"stopped": STOPPED, "paused": PAUSED, **dict.fromkeys(_BROKEN, BROKE_OFF)}
    reasons = dict(zip(tables.trials["trial"], tables.trials["reason"], strict=True))
    rows: list[tuple[Any, ...]] = []
    for one in held:
        kind = kinds.get(one.stint.end)
        if kind is None or one.stint.ended_s is None:
            continue
        why = f": {reasons[one.stint.trial]}" if kind != PAUSED and reasons[one.stint.trial] else ""
        text = f"{one.stint.trial} {one.stint.end}, attempt {one.stint.attempt}{why}"
        rows.append((one.stint.ended_s, one.slot, one.seat, one.stint.trial, kind, text))
    looks = tables.held_out.drop_duplicates(["trial", "evaluation"])
    for trial, time, score in zip(looks["trial"], looks["time_s"], looks["score"], strict=True):
        rows.append((time, pd.NA, pd.NA, trial, ON_TEST, f"{trial} evaluated on the test set: {score:.4g}"))
    frame = pd.DataFrame(rows, columns=list(EVENTS))
    frame = frame.astype({"slot": "Int64", "seat": "Int64", "time_s": "float64"})
    return frame.sort_values("time_s", kind="stable").reset_index(drop=True)


def _sessions(tables: SweepTables) -> pd.DataFrame:
    rows = [(span.number, span.began_s, span.last_s, span.closed or "") for span in tables.history.spans]
    return pd.DataFrame(rows, columns=list(SESSIONS))


def _slots(stints: pd.DataFrame, segments: pd.DataFrame, sessions: pd.DataFrame, now: float) -> pd.DataFrame:
    at_work = float((sessions["end_s"] - sessions["start_s"]).sum()) if len(sessions) else now
    training = segments[segments["kind"] == TRAINING].groupby("slot")["seconds"].sum()
    frame = stints.groupby("slot").agg(stints=("trial", "size"), held_s=("seconds", "sum")).reset_index()
    frame["training_s"] = frame["slot"].map(training).fillna(0.0)
    frame["share"] = frame["held_s"] / at_work if at_work > 0 else np.nan
    return frame[list(SLOTS)]


def _verdict(stints: pd.DataFrame, segments: pd.DataFrame, slots: pd.DataFrame) -> tuple[str, ...]:
    sums = segments.groupby("kind")["seconds"].sum()
    parts = ", ".join(f"{format_duration(float(sums[kind]))} {kind}" for kind in KINDS if kind in sums)
    trials, workers = counted(stints["trial"].nunique(), "trial"), counted(len(slots), "worker")
    return (f"{trials} held up to {workers} at once, {counted(len(stints), 'time')}: {parts}.",)


def _notes(tables: SweepTables, *, derived: bool, without_sessions: bool) -> tuple[str, ...]:
    notes = [
        (
            "Which worker a trial held is not on record: each stay at a worker is drawn in the first slot that was "
            f"free (the sweep file asks for {tables.spec.resources.workers} at a time)."
        ),
        (
            "Set-up is from when a trial got its worker until the seconds of its first report begin; what a worker "
            "takes to build the model and the data is part of its first report."
        ),
    ]
    if derived:
        notes.append(
            "When trials got their workers is not on record here: a stay begins at its first report's time less its "
            "seconds, and what no report covers is not shown."
        )
    if len(tables.held_out):
        notes.append("Of an evaluation on the test set only the end is on record, not how long it took.")
    if without_sessions:
        notes.append("When drivers were at work is not on record here.")
    lost = float(tables.trials["lost_wall_s"].sum())
    if lost > 0:
        notes.append(f"No report covers {format_duration(lost)} of worker time of attempts that broke off.")
    return tuple(notes)
