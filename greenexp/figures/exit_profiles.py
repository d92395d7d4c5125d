"""Share of examples leaving at each exit, against speed-up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import ORDERED, panels

MOST_POLICIES = 4
_SIZE = (215, 150)
_LONE = 0.1
"""Half the width of the bar of a policy with a single operating point, as speed-up."""


def exit_profiles_figure(profiles: pd.DataFrame, policies: list[str], trial: str) -> Figure:
    """A panel per policy: bars at its operating points, stacked by exit, the first exit at the bottom.

    profiles: table `exit_profiles` of one trial; policies: those drawn, in order, at most `MOST_POLICIES`.
    A bar reaches halfway to the next operating point.
    """
    parts = [stacked(profiles[profiles["policy"] == policy]) for policy in policies[:MOST_POLICIES]]
    table = pd.concat(parts, ignore_index=True)
    columns = ["policy", "exit", "left", "right", "bottom", "top"]
    data = [dict(zip(columns, row, strict=True)) for row in table[columns].itertuples(index=False)]
    exits = sorted({int(number) for number in table["exit"]})
    axis = {"tickCount": 5, "grid": False}
    x = {"field": "left", "type": "quantitative", "title": "Speed-up (layers)", "axis": axis,
         "scale": {"zero": False, "nice": False}}  # fmt: skip
    y = {"field": "bottom", "type": "quantitative", "title": "Share of examples", "scale": {"domain": [0, 1]},
         "axis": {"tickCount": 5, "format": ".0%", "grid": False}}  # fmt: skip
    legend = {"columns": 12, "symbolType": "square"}
    color = {"field": "exit", "type": "ordinal", "title": "leaves at exit", "legend": legend,
             "scale": {"scheme": ORDERED, "domain": exits}}  # fmt: skip
    layer: dict[str, Any] = {
        "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 0.4},
        "encoding": {"x": x, "x2": {"field": "right"}, "y": y, "y2": {"field": "top"}, "color": color},
    }
    facet = {"field": "policy", "type": "nominal", "sort": list(policies)}
    spec = panels(data, facet, [layer], _SIZE, 2)
    shown = table.drop(columns=["left", "right", "bottom", "top"])
    return Figure("exit-profiles", f"Exit profiles of {trial} on dev", _alt(table, policies), spec, shown)


def stacked(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one policy, in order of speed-up and exit, with the corners of their bars: left, right, bottom, top.

    Of operating points with one speed-up the first is kept.
    """
    points = rows.drop_duplicates(["speed_up", "exit"]).sort_values(["speed_up", "exit"], kind="stable")
    speeds = points["speed_up"].drop_duplicates().tolist()
    middles = [(low + high) / 2 for low, high in pairwise(speeds)]
    first, last = (speeds[0], speeds[-1]) if middles else (speeds[0] - _LONE, speeds[0] + _LONE)
    left = dict(zip(speeds, [first, *middles], strict=True))
    right = dict(zip(speeds, [*middles, last], strict=True))
    top = points.groupby("speed_up", sort=False)["share"].cumsum()
    return points.assign(
        left=points["speed_up"].map(left),
        right=points["speed_up"].map(right),
        bottom=(top - points["share"]).clip(lower=0),
        top=top.clip(upper=1),
    ).reset_index(drop=True)


def _alt(table: pd.DataFrame, policies: list[str]) -> str:
    """Of the fastest operating point of every policy, the exit most examples leave at."""
    parts = []
    for policy in policies:
        rows = table[table["policy"] == policy]
        if rows.empty:
            continue
        fastest = rows[rows["speed_up"] == rows["speed_up"].max()]
        most = fastest.loc[fastest["share"].idxmax()]
        points = rows["speed_up"].nunique()
        parts.append(
            f"{policy}, {points} point{'' if points == 1 else 's'} up to {most['speed_up']:.2f}×, where "
            f"{100 * most['share']:.0f} % leave at exit {most['exit']}"
        )
    return f"Stacked bars of the share of dev examples leaving at each exit over speed-up: {'; '.join(parts)}."
