"""Scores of single seeds, configuration by configuration: dots, as so few scores have no distribution to draw."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREY, INK, VERMILLION, chart, quantity

MOST_CONFIGURATIONS = 20
"""Rows drawn."""
_ROW = 24
_ENDED, _SO_FAR, _MEAN = "one seed", "one seed, best so far", "mean of the seeds"
_LOOKS = {_ENDED: (BLUE, "circle"), _SO_FAR: (GREY, "triangle-right"), _MEAN: (VERMILLION, "stroke")}


def seeds_figure(table: pd.DataFrame, label: str) -> Figure:
    """A row of dots per configuration; trials that did not finish are triangles; the mean is a stroke across.

    table: trial, configuration, score, status, mean (of the configuration, or NaN), the configurations in the order in
    which they are to stand from the top, at least one row with a score; label: what the scores are.
    """
    names = [str(name) for name in dict.fromkeys(table["configuration"])][:MOST_CONFIGURATIONS]
    drawn = table[table["configuration"].isin(names)].dropna(subset=["score"])
    data: list[dict[str, Any]] = [
        {"configuration": name, "score": float(score), "kind": _ENDED if status == "finished" else _SO_FAR}
        for name, score, status in zip(drawn["configuration"], drawn["score"], drawn["status"], strict=True)
    ]
    means = drawn.drop_duplicates("configuration").dropna(subset=["mean"])
    data += [
        {"configuration": name, "score": float(mean), "kind": _MEAN}
        for name, mean in zip(means["configuration"], means["mean"], strict=True)
    ]
    kinds = [kind for kind in _LOOKS if any(row["kind"] == kind for row in data)]
    x = quantity("score", f"{label[0].upper()}{label[1:]}")
    y = {
        "field": "configuration", "type": "nominal", "title": None, "sort": names,
        "axis": {"grid": True, "ticks": False, "labelLimit": 120},
    }  # fmt: skip
    look = {
        channel: {"field": "kind", "type": "nominal", "title": None,
                  "scale": {"domain": kinds, "range": [_LOOKS[kind][place] for kind in kinds]}}
        for place, channel in enumerate(("color", "shape"))
    }  # fmt: skip
    seeds, mean = f"datum.kind !== '{_MEAN}'", f"datum.kind === '{_MEAN}'"
    of_means: list[dict[str, Any]] = [
        {"transform": [{"filter": mean}], "mark": {"type": "point", "angle": 90, "size": 220, "strokeWidth": 2.5},
         "encoding": {"x": x, "y": y, **look}}
    ]  # fmt: skip
    layers = [
        *(of_means if _MEAN in kinds else []),
        {"transform": [{"filter": seeds}], "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.75,
                                                    "stroke": INK, "strokeWidth": 0.5},
         "encoding": {"x": x, "y": y, **look}},
    ]  # fmt: skip
    height = max(3, len(names)) * _ROW
    return Figure(
        "seeds",
        "Scores of single seeds",
        _alt(drawn, names, label),
        chart(data, layers, height=height, width=440),
        drawn,
    )


def _alt(drawn: pd.DataFrame, names: list[str], label: str) -> str:
    """The range of the first and of the last configuration drawn."""
    parts = []
    for name in dict.fromkeys((names[0], names[-1])):
        scores = drawn.loc[drawn["configuration"] == name, "score"]
        parts.append(f"{name} {len(scores)} from {scores.min():.4f} to {scores.max():.4f}")
    rows = f"{len(names)} configuration{'' if len(names) == 1 else 's'}"
    return f"Dots of {label}, one per seed, in a row for each of {rows}: {'; '.join(parts)}."
