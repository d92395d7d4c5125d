"""Learning curves of trials: a line each, with a mark where it ended and a rule at each rung."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.learning_curves import ALL_OF_DEV, CHOSEN, NOT_ENDED, OTHERS
from greenexp.analysis.views.searched import CATEGORY, LOG
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, FRAME, GREEN, GREY, INK, ORANGE, ORDERED, VERMILLION, chart
from greenexp.figures.views.channels import (
    DASHES,
    FRONT_COLOURS,
    MOST_GROUPS,
    Titled,
    across,
    hover,
    look,
    lowered,
    number,
    records,
    spread,
    titled,
)

MOST_TRIALS = 200
"""Lines drawn; of more, those with the best last value."""
_ENDS = {
    "finished": ("circle", BLUE), "stopped": ("square", VERMILLION), "failed": ("cross", INK),
    "interrupted": ("triangle-up", ORANGE), NOT_ENDED: ("triangle-right", GREEN),
}  # fmt: skip
_NAMED_RUNGS = 6
_OTHER_GROUPS = "other groups"


def learning_curve_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.learning_curves.learning_curves`; none where it refused.

    Told apart by the group: the chosen configuration by a thick line, a searched number by lightness, other groups by
    colour and dash, the first `MOST_GROUPS` of them.
    """
    if findings.refusal:
        return ()
    x, y = titled(findings, "position"), titled(findings, "value")
    curves, ends = _drawn(findings, y)
    divisor, x_title = x.scaled(curves["position"].tolist())
    lines = records(_named_groups(curves, ends), shown=(curves["position"] / divisor).tolist())
    marks = records(ends, shown=(ends["position"] / divisor).tolist())
    ax = across("shown", x_title, [row["shown"] for row in lines], zero=bool(x.unit))
    up = {"field": "value", "type": "quantitative", "title": y.title, "scale": {"zero": False, "nice": True}}
    layers = [
        *_rules(findings["rungs"], divisor, ax),
        *_lines(lines, ax, up, titled(findings, "group")),
        *_marks(marks, ax, up),
    ]
    spec = chart([], layers)
    title = f"{y.title} over {lowered(x.title)}"
    return (Figure("learning-curves", title, _alt(ends, x, y, findings["rungs"]), spec, curves),)


def _drawn(findings: Findings, y: Titled) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At most `MOST_TRIALS` trials, those with the best last value; ends: these first."""
    curves, ends = findings["curves"], findings["ends"]
    best = ends.sort_values("value", ascending=y.better == "less", kind="stable").head(MOST_TRIALS)
    return curves[curves["trial"].isin(best["trial"])], best.reset_index(drop=True)


def _named_groups(curves: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """With the groups after the first few as one."""
    if curves["group"].isin([CHOSEN, OTHERS]).all():
        return curves
    first = list(dict.fromkeys(ends["group"]))
    kept = first if len(first) <= MOST_GROUPS else first[: MOST_GROUPS - 1]
    return curves.assign(group=curves["group"].where(curves["group"].isin(kept), _OTHER_GROUPS))


def _lines(lines: list[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], group: Titled) -> list[dict[str, Any]]:
    """A line per trial and kind of score; scores that compare with each other alone are dotted."""
    tooltip = hover(
        ("trial", "Trial"), ("settings", "Settings"), ("epoch", "Epoch"), ("value", "Value"), ("status", "Status"),
        ("train_loss", "Training loss"), ("learning_rate", "Learning rate"), ("wall_s", "Seconds"),
        ("scored_on", "Scored on"), formats={"value": ".4f", "train_loss": ".4f", "learning_rate": ".3g",
                                             "wall_s": ".3g"},
    )  # fmt: skip
    shared = {"x": x, "y": y, "detail": [{"field": "trial"}, {"field": "scored_on"}], "tooltip": tooltip}
    of_part = {"test": f"datum.scored_on && datum.scored_on !== '{ALL_OF_DEV}'", "value": [1, 4]}
    looks = _group_looks(lines, group)
    dashes = {"strokeDash": looks.pop("strokeDash", {"condition": of_part, "value": [1, 0]})}
    data = {"values": lines}
    point = {"type": "point", "filled": True, "size": 14, "opacity": 0.7}
    colour = {"color": looks["color"]} if "color" in looks else {}
    return [
        {"data": data, "mark": {"type": "line", "opacity": 0.75}, "encoding": {**shared, **looks, **dashes}},
        {"data": data, "mark": point, "encoding": {**shared, **colour}},
    ]


def _group_looks(lines: list[dict[str, Any]], group: Titled) -> dict[str, Any]:
    """Colour and what else tells groups apart."""
    groups = list(dict.fromkeys(str(row["group"]) for row in lines))
    if set(groups) <= {CHOSEN, OTHERS}:
        names = [name for name in (CHOSEN, OTHERS) if name in groups]
        colours = [{CHOSEN: BLUE, OTHERS: GREY}[name] for name in names]
        widths = [{CHOSEN: 2.5, OTHERS: 1}[name] for name in names]
        thickness = {**look("group", names, widths), "sort": names}
        if len(names) == 1:  # a scale of one width makes "NaN" of it
            thickness = {"value": widths[0]}
        return {"color": look("group", names, colours), "strokeWidth": thickness}
    title = group.title
    if any(row["group_value"] is not None for row in lines) and group.scale != CATEGORY:
        scale = {"scheme": ORDERED, **({"type": "log"} if group.scale == LOG else {"zero": False})}
        values = [row["group_value"] for row in lines if row["group_value"] is not None]
        legend = {"values": spread(values, log=group.scale == LOG), "format": ".2g"}
        return {"color": {"field": "group_value", "type": "quantitative", "title": title, "scale": scale,
                          "legend": legend}}  # fmt: skip
    named = [group for group in groups if group != _OTHER_GROUPS]
    rest = [_OTHER_GROUPS] if _OTHER_GROUPS in groups else []
    colours, dashes = [*FRONT_COLOURS[: len(named)], GREY], [*DASHES[: len(named)], DASHES[-1]]
    return {"color": look("group", [*named, *rest], colours, title or None),
            "strokeDash": look("group", [*named, *rest], dashes, title or None)}  # fmt: skip


def _marks(marks: list[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Where trials ended: a shape per kind of end; those that finished need none beside the others."""
    names = [name for name in _ENDS if any(row["end"] == name for row in marks)]
    tooltip = hover(("trial", "Trial"), ("settings", "Settings"), ("end", "How it ended"), ("epoch", "Epoch"),
                    ("value", "Value"), ("why", "Why"), formats={"value": ".4f"})  # fmt: skip
    looks = {
        channel: look("end", names, [_ENDS[name][place] for name in names], "Where it ended")
        for channel, place in (("shape", 0), ("stroke", 1))
    }
    mark = {"type": "point", "filled": True, "fill": "#ffffff", "strokeWidth": 1.8, "opacity": 1}
    size = {"condition": {"test": "datum.end === 'finished'", "value": 20}, "value": 70}
    encoding = {"x": x, "y": y, "size": size, "tooltip": tooltip, **looks}
    return [{"data": {"values": marks}, "mark": mark, "encoding": encoding}]


def _rules(rungs: pd.DataFrame, divisor: float, x: dict[str, Any]) -> list[dict[str, Any]]:
    """A dashed rule at each level where a rung lies."""
    if rungs.empty:
        return []
    levels = rungs.groupby("position", sort=True).agg(name=("name", "first"), stopped=("stopped", "sum"),
                                                      trials=("trials", "sum")).reset_index()  # fmt: skip
    rows = records(levels, shown=(levels["position"] / divisor).tolist())
    tooltip = hover(("name", "Rung"), ("trials", "Trials"), ("stopped", "Stopped"))
    rule = {"type": "rule", "color": FRAME, "strokeDash": [4, 4]}
    text = {"type": "text", "align": "left", "baseline": "top", "dx": 3, "y": 0, "fontSize": 11, "color": GREY}
    named = rows if len(rows) <= _NAMED_RUNGS else rows[:1]
    return [
        {"data": {"values": rows}, "mark": rule, "encoding": {"x": x, "tooltip": tooltip}},
        {"data": {"values": named}, "mark": text, "encoding": {"x": x, "text": {"value": "rung"}}},
    ]


def _alt(ends: pd.DataFrame, x: Titled, y: Titled, rungs: pd.DataFrame) -> str:
    """How many ended how, the best last value, and where the rungs lie."""
    counts = ends["end"].value_counts()
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    known = ends[(ends["end"] != "failed") & ends["scored_on"].isin(["", ALL_OF_DEV])]
    best = ""
    if len(known):
        row = known.sort_values("value", ascending=y.better == "less", kind="stable").iloc[0]
        best = f"; the best last value is {number(row['value'])}, of {row['trial']}"
    where = f"; rungs at {', '.join(dict.fromkeys(rungs['name']))}" if len(rungs) else ""
    return f"Lines of {lowered(y.title)} over {lowered(x.title)} of {len(ends)} trials ({parts}){best}{where}."
