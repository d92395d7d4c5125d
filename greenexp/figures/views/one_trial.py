"""One trial: its score after each report, and the score of each exit at its best epoch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.learning_curves import ALL_OF_DEV
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREY, INK, VERMILLION, chart
from greenexp.figures.views.channels import across, hover, look, lowered, number, of_scores, records, titled
from greenexp.records.tables import DEV, TEST

_SPLITS = {"dev": (BLUE, "circle"), "test": (VERMILLION, "square")}


def trial_figures(findings: Findings) -> tuple[Figure, ...]:
    """Figures of `analysis.views.one_trial.trial_view`: the curve, then the exits; those of which there are numbers."""
    if findings.refusal:
        return ()
    curve, exits = findings["curve"], findings["exits"]
    return (
        *([_curve(findings, curve)] if len(curve) else []),
        *([_exits(findings, exits)] if exits["score"].notna().any() else []),
    )


def _curve(findings: Findings, curve: pd.DataFrame) -> Figure:
    """Score (solid) with its best epoch marked; scores of another kind on dotted lines."""
    score, trial = titled(findings, "value"), titled(findings, "trial").title
    rows = records(curve)
    x = across("epoch", "Epochs", curve["epoch"].astype("float64").tolist())
    y = of_scores("score", score.title, curve["score"].tolist())
    tooltip = hover(
        ("epoch", "Epoch"), ("score", score.title), ("train_loss", "Training loss"), ("scored_on", "Scored on"),
        ("learning_rate", "Learning rate"), ("attempt", "Attempt"), ("wall_s", "Seconds"),
        formats={"score": ".4f", "train_loss": ".4f", "learning_rate": ".3g", "wall_s": ".3g"},
    )  # fmt: skip
    dash = {"condition": {"test": f"datum.scored_on !== '{ALL_OF_DEV}'", "value": [1, 4]}, "value": [1, 0]}
    shared = {"x": x, "y": y, "tooltip": tooltip}
    values = {"values": rows}
    best = [{"filter": "datum.best"}]
    layers: list[dict[str, Any]] = [
        {"data": values, "mark": {"type": "line", "color": BLUE, "strokeWidth": 2},
         "encoding": {**shared, "detail": {"field": "scored_on"}, "strokeDash": dash}},
        {"data": values, "mark": {"type": "point", "filled": True, "color": BLUE, "size": 40, "opacity": 1},
         "encoding": shared},
        {"data": values, "transform": best,
         "mark": {"type": "point", "size": 160, "color": INK, "strokeWidth": 1.5, "opacity": 1}, "encoding": shared},
        {"data": values, "transform": best,
         "mark": {"type": "text", "dy": 20, "fontSize": 12, "color": INK},
         "encoding": {"x": x, "y": y, "text": {"value": "best epoch"}}},
    ]  # fmt: skip
    last = curve.iloc[-1]
    at = curve[curve["best"]]
    peak = f", best {number(at.iloc[0]['score'])} at epoch {at.iloc[0]['epoch']:g}" if len(at) else ""
    alt = (
        f"Line of {lowered(score.title)} of trial {trial} after each of {len(curve)} reports: "
        f"{number(curve.iloc[0]['score'])} at first, {number(last['score'])} after epoch {last['epoch']:g}{peak}."
    )
    return Figure("trial-curve", f"{score.title} of {trial}", alt, chart([], layers), curve)


def _exits(findings: Findings, exits: pd.DataFrame) -> Figure:
    """Score by exit on dev and, where it was evaluated, on test."""
    title, trial = titled(findings, "exit_score").title, titled(findings, "trial").title
    metric = title.removeprefix("dev ").removesuffix(" of the exit")
    known = {"dev": "score", "test": TEST + metric}
    parts = [
        exits.assign(split=split, value=exits[column])[["exit", "layer", "inference_flops", "split", "value"]]
        for split, column in known.items()
        if column in exits and exits[column].notna().any()
    ]
    table = pd.concat(parts, ignore_index=True)
    splits = list(dict.fromkeys(table["split"]))
    looks = {
        "color": look("split", splits, [_SPLITS[split][0] for split in splits]),
        "shape": look("split", splits, [_SPLITS[split][1] for split in splits]),
    }
    x = {"field": "exit", "type": "ordinal", "title": "Exit", "axis": {"labelAngle": 0}}
    y = of_scores("value", f"{metric} of the exit", table["value"].tolist())
    tooltip = hover(
        ("exit", "Exit"), ("layer", "Layer"), ("split", "Split"), ("value", metric),
        ("inference_flops", "Inference FLOPs"), formats={"value": ".4f", "inference_flops": ".3s"},
    )  # fmt: skip
    line = {"type": "line", "color": GREY, "strokeWidth": 1.5}
    point = {"type": "point", "filled": True, "size": 80, "opacity": 1}
    layers = [
        {"mark": line, "encoding": {"x": x, "y": y, "detail": {"field": "split"}}},
        {"mark": point, "encoding": {"x": x, "y": y, "tooltip": tooltip, **looks}},
    ]
    dev = table[table["split"] == "dev"]
    alt = (
        f"Points of {DEV.removesuffix('_')} {metric} of the {len(dev)} exits of trial {trial} at its best epoch: "
        f"{number(dev.iloc[0]['value'])} at exit {dev.iloc[0]['exit']}, {number(dev.iloc[-1]['value'])} at exit "
        f"{dev.iloc[-1]['exit']}{', with test beside it' if 'test' in splits else ''}."
    )
    return Figure("trial-exits", f"Score of each exit of {trial}", alt, chart(records(table), layers), table)
