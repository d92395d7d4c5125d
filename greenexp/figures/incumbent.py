"""Every configuration of a search in its order, with the best so far and what the next are expected to gain."""

from __future__ import annotations

from typing import Any

from greenexp.analysis.search.progress import SearchProgress
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import room_for_one, whole_ticks
from greenexp.figures.style import BLUE, chart, quantity, title_lines


def incumbent_figure(progress: SearchProgress, metric: SweepMetric) -> Figure:
    """A dot per configuration, open where it was drawn at random, and a step line of the best so far.

    Where the gain of the next configurations is known, the line goes on, dotted, to the expected best after them.
    progress: with at least one configuration.
    """
    table = progress.incumbent
    kinds = ["drawn at random" if drawn else "proposed" for drawn in table["drawn"]]
    data = [
        {"number": int(number), "score": float(score), "best": float(best), "kind": kind, "part": "so far"}
        for number, score, best, kind in zip(table["number"], table["score"], table["best"], kinds, strict=True)
    ]
    last, ahead = data[-1], _ahead(progress, metric)
    line = [{"number": row["number"], "best": row["best"], "part": "so far"} for row in data]
    line += [{"number": last["number"], "best": last["best"], "part": "expected"}] if ahead else []
    line += [
        {"number": int(str(last["number"])) + more, "best": best, "part": "expected"} for more, best in ahead.items()
    ]
    x = quantity("number", "Configuration", axis=whole_ticks([1, table["number"].max() + max(ahead, default=0)]))
    x["scale"] = {"nice": False}
    y = quantity("score", title_lines(f"Mean {metric.label} over seeds"))
    y["scale"] |= room_for_one([*table["score"], *table["best"], *ahead.values()])
    layers: list[dict[str, Any]] = [
        {"data": {"values": line},
         "mark": {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 2},
         "encoding": {"x": x, "y": {**y, "field": "best"},
                      "strokeDash": {"field": "part", "type": "nominal",
                                     "scale": {"domain": ["so far", "expected"], "range": [[1, 0], [3, 3]]},
                                     "legend": {"title": "Best", "orient": "right"} if ahead else None}}},
        {"mark": {"type": "point", "color": BLUE, "size": 40, "opacity": 1},
         "encoding": {"x": x, "y": y,
                      "fill": {"field": "kind", "type": "nominal",
                               "scale": {"domain": ["drawn at random", "proposed"], "range": ["white", BLUE]},
                               "legend": {"title": "Configuration", "orient": "right"}
                               if len(set(kinds)) > 1 else None}}},
    ]  # fmt: skip
    expected = "".join(f", expected {best:.4f} after {more} more" for more, best in list(ahead.items())[-1:])
    alt = (
        f"{len(data)} configurations in the order of the search, with their mean {metric.label} and the best so far: "
        f"{data[0]['best']:.4f} after the first, {last['best']:.4f} after the last{expected}."
    )
    return Figure("incumbent", "Configurations in the order of the search", alt, chart(data, layers), table)


def _ahead(progress: SearchProgress, metric: SweepMetric) -> dict[int, float]:
    """Number of further configurations -> expected best after them; only where it is no upper estimate."""
    best = float(progress.incumbent["best"].iloc[-1])
    sign = -1.0 if metric.minimize else 1.0
    return {gain.configurations: best + sign * gain.mean for gain in progress.gains if not gain.upper}
