"""Workers over time: what each did, when trials left it, and when drivers were at work."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.timeline import (
    AGAIN,
    BROKE_OFF,
    KINDS,
    LOST,
    ON_TEST,
    PAUSED,
    SAVING,
    SET_UP,
    STOPPED,
    TRAINING,
    UNDER_WAY,
)
from greenexp.analysis.views.wording import counted
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit
from greenexp.figures.style import BLUE, FRAME, GREY, GRID, INK, ORANGE, VERMILLION, chart
from greenexp.figures.views.channels import hover, look, records
from greenexp.units import format_duration

WHITE = "#ffffff"
MOST_SLOTS = 64
"""Rows of workers that are drawn."""
MOST_SEGMENTS = 1500
"""Bars drawn one by one; of more, those of one kind that follow each other in a stay are one bar."""
_LOOKS = {
    TRAINING: (BLUE, WHITE, 0.7), SET_UP: (GREY, WHITE, 0.25), SAVING: (INK, WHITE, 0.25), AGAIN: (ORANGE, INK, 0.45),
    LOST: (VERMILLION, INK, 0.9), UNDER_WAY: (WHITE, BLUE, 0.7),
}  # fmt: skip
"""Fill, outline, and share of the row's height: kinds are told apart by their height and outline too."""
_EVENTS = {
    PAUSED: ("stroke", INK), STOPPED: ("square", VERMILLION), BROKE_OFF: ("cross", INK), ON_TEST: ("diamond", ORANGE),
}  # fmt: skip
_TEST_ROW = "test"
_WIDTH, _ROW, _LETTER = 560, 34, 6.2


def timeline_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.timeline.worker_timeline`; none where it refused. At most `MOST_SLOTS` rows."""
    if findings.refusal:
        return ()
    segments = findings["segments"]
    seats = int(segments["seat"].max())
    most = max(1, MOST_SLOTS // seats)
    segments = segments[segments["slot"] <= most]
    if len(segments) > MOST_SEGMENTS:
        segments = _joined(segments)
    stints, events = (findings[name] for name in ("stints", "events"))
    events = events[events["slot"].isna() | (events["slot"] <= most)]
    stints = stints[stints["slot"] <= most]
    last = float(segments["end_s"].max())
    divisor, unit = axis_unit("s", last)
    lanes = sorted(set(zip(segments["slot"], segments["seat"], strict=True)))
    rows = list(dict.fromkeys(_row(*lane, seats) for lane in lanes))
    names = [*rows, *([_TEST_ROW] if events["slot"].isna().any() else [])]
    at_work = "; grey: a driver was at work" if len(findings["sessions"]) else ""
    x = {"field": "start", "type": "quantitative", "title": f"Time since the sweep began ({unit}){at_work}",
         "scale": {"zero": True, "nice": False, "domain": [0, _end(findings, last) / divisor]},
         "axis": {"tickCount": 6}}  # fmt: skip
    title = "Worker and seed of its model" if seats > 1 else "Worker"
    y = {"field": "row", "type": "nominal", "title": title, "sort": names,
         "axis": {"grid": False, "ticks": False, "labelOverlap": False}}  # fmt: skip
    layers = [
        *_bands(findings["sessions"], divisor, x),
        *_bars(segments, divisor, seats, x, y),
        *_names(stints, divisor, seats, last, x, y),
        *_marks(events, divisor, seats, x, y),
    ]
    spec = chart([], layers, width=_WIDTH, height=max(2, len(names)) * _ROW)
    return (Figure("workers", "Workers over time", _alt(findings, segments, last), spec, segments),)


def _row(slot: int, seat: int, seats: int) -> str:
    """The name of a row: a worker's, or that of one of the seeds that a worker trains as one model."""
    return f"{slot}.{seat}" if seats > 1 else str(slot)


def _joined(segments: pd.DataFrame) -> pd.DataFrame:
    """Segments of one kind that follow each other in a trial's stay as one; epoch and score are those of the last."""
    rows = segments.sort_values(["slot", "start_s"], kind="stable")
    keys = ["slot", "trial", "attempt", "kind"]
    new = (rows[keys] != rows[keys].shift()).any(axis=1)
    last = {name: (name, "last") for name in ("epoch", "score", "end_s")}
    first = {str(name): (name, "first") for name in segments if name not in {*last, "seconds"}}
    joined = rows.groupby(new.cumsum()).agg(**first, seconds=("seconds", "sum"), **last)
    return joined.reset_index(drop=True)[list(segments)]


def _end(findings: Findings, last: float) -> float:
    """Where the axis ends: with the last thing drawn."""
    return float(max([last, *findings["events"]["time_s"].tolist(), *findings["sessions"]["end_s"].tolist()]))


def _bars(
    segments: pd.DataFrame, divisor: float, seats: int, x: dict[str, Any], y: dict[str, Any]
) -> list[dict[str, Any]]:
    """A layer per kind, each with its height and outline."""
    kinds = [kind for kind in KINDS if (segments["kind"] == kind).any()]
    tooltip = hover(
        ("trial", "Trial"), ("settings", "Settings"), ("kind", "What"), ("epoch", "Epoch"), ("score", "Dev score"),
        ("attempt", "Attempt"), ("seconds", "Worker time (s)"), ("start_s", "From (s)"), ("end_s", "To (s)"),
        formats={"score": ".4f", "seconds": ".1f", "start_s": ".1f", "end_s": ".1f"},
    )  # fmt: skip
    color = look("kind", kinds, [_LOOKS[kind][0] for kind in kinds])
    color["legend"] = {"symbolType": "square", "symbolStrokeColor": INK}
    layers = []
    for kind in kinds:
        _, outline, height = _LOOKS[kind]
        own = segments[segments["kind"] == kind]
        rows = [_row(slot, seat, seats) for slot, seat in zip(own["slot"], own["seat"], strict=True)]
        start, end = (own["start_s"] / divisor).tolist(), (own["end_s"] / divisor).tolist()
        data = records(own, row=rows, start=start, end=end)
        mark = {"type": "bar", "height": {"band": height}, "stroke": outline, "strokeWidth": 0.6,
                **({"strokeDash": [3, 2], "strokeWidth": 1.5} if kind == UNDER_WAY else {})}  # fmt: skip
        encoding = {"x": x, "x2": {"field": "end"}, "y": y, "color": color, "tooltip": tooltip}
        layers.append({"data": {"values": data}, "mark": mark, "encoding": encoding})
    return layers


def _names(
    stints: pd.DataFrame, divisor: float, seats: int, last: float, x: dict[str, Any], y: dict[str, Any]
) -> list[dict[str, Any]]:
    """A tick where each stint began, and the trial's or the configuration's name where it fits in."""
    rows, begins = [], []
    for stint in stints.to_dict("records"):
        start, end = stint["start_s"] / divisor, stint["end_s"] / divisor
        row = _row(stint["slot"], stint["seat"], seats)
        share = (end - start) * divisor / last if last > 0 else 0.0
        own = {"row": row, "start": (start + end) / 2, "share": share}
        trial, configuration = stint["trial"], stint["configuration"]
        rows += [{**own, "name": trial, "over": 0}, {**own, "name": configuration, "over": len(trial)}]
        begins.append({"row": row, "start": start})
    # `width` is that of the drawing, which a page makes as wide as there is room.
    letters = f"datum.share * width / {_LETTER}"
    fits = f"length(datum.name) < {letters} && (!datum.over || datum.over >= {letters})"
    text = {"type": "text", "fontSize": 11, "color": WHITE, "tooltip": None, "opacity": {"expr": f"{fits} ? 1 : 0"}}
    tick = {"type": "tick", "color": INK, "thickness": 1.5, "size": 26, "tooltip": None}
    halo = {**text, "color": INK, "stroke": INK, "strokeWidth": 2.5, "opacity": {"expr": f"{fits} ? 0.6 : 0"}}
    named = [
        {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, "text": {"field": "name"}}}
        for mark in (halo, text)
    ]
    return [{"data": {"values": begins}, "mark": tick, "encoding": {"x": x, "y": y}}, *(named if rows else [])]


def _marks(
    events: pd.DataFrame, divisor: float, seats: int, x: dict[str, Any], y: dict[str, Any]
) -> list[dict[str, Any]]:
    """How trials left their workers, and evaluations on the test set in a row of their own."""
    if events.empty:
        return []
    names = [kind for kind in _EVENTS if (events["kind"] == kind).any()]
    places = zip(events["slot"], events["seat"], strict=True)
    rows = [_TEST_ROW if pd.isna(slot) else _row(slot, seat, seats) for slot, seat in places]
    data = records(events, row=rows, start=(events["time_s"] / divisor).tolist())
    tooltip = hover(("trial", "Trial"), ("kind", "What"), ("text", "Remark"), ("time_s", "At (s)"),
                    formats={"time_s": ".1f"})  # fmt: skip
    looks = {
        "shape": look("kind", names, [_EVENTS[name][0] for name in names]),
        "stroke": look("kind", names, [_EVENTS[name][1] for name in names]),
    }
    mark = {"type": "point", "filled": True, "fill": WHITE, "size": 60, "strokeWidth": 1.6, "opacity": 1, "yOffset": 12}
    return [{"data": {"values": data}, "mark": mark, "encoding": {"x": x, "y": y, "tooltip": tooltip, **looks}}]


def _bands(sessions: pd.DataFrame, divisor: float, x: dict[str, Any]) -> list[dict[str, Any]]:
    """Behind everything, when drivers were at work; a dashed rule where each session began after the first."""
    if sessions.empty:
        return []
    data = records(sessions, start=(sessions["start_s"] / divisor).tolist(), end=(sessions["end_s"] / divisor).tolist())
    tooltip = hover(("session", "Session"), ("start_s", "From (s)"), ("end_s", "To (s)"), ("end", "How it ended"),
                    formats={"start_s": ".1f", "end_s": ".1f"})  # fmt: skip
    values = {"values": data}
    later = [{"filter": "datum.session > 1"}]
    return [
        {"data": values, "mark": {"type": "rect", "color": GRID, "opacity": 0.6},
         "encoding": {"x": x, "x2": {"field": "end"}, "tooltip": tooltip}},
        {"data": values, "transform": later, "mark": {"type": "rule", "color": FRAME, "strokeDash": [4, 4]},
         "encoding": {"x": x, "tooltip": tooltip}},
    ]  # fmt: skip


def _alt(findings: Findings, segments: pd.DataFrame, last: float) -> str:
    """How much time each kind took, and how trials left."""
    sums = segments.groupby("kind")["seconds"].sum()
    parts = ", ".join(f"{format_duration(float(sums[kind]))} {kind}" for kind in KINDS if kind in sums)
    counts = findings["events"]["kind"].value_counts()
    left = ", ".join(f"{counts[kind]} {kind}" for kind in _EVENTS if kind in counts)
    slots, sessions = segments["slot"].nunique(), len(findings["sessions"])
    shared = ", each with a row for each seed that it trained," if segments["seat"].max() > 1 else ""
    drivers = f" in {sessions} session{'' if sessions == 1 else 's'} of the driver" if sessions else ""
    return (
        f"Bars of what {counted(slots, 'worker')} did{shared} over {format_duration(last)}{drivers}: {parts}"
        f"{f'; marks of {left}' if left else ''}."
    )
