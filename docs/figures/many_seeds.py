"""The figure of docs/many-seeds.md: the time of a step of a seed, in processes and in a stacked model."""

from __future__ import annotations

from drawings import Axis, Layout, Points
from page_tables import number, page_table

from greenexp.figures.figure import Figure

_ALONE, _WAYS = "one after the other", ("processes", "one model")


def seeds_at_once() -> Figure:
    """Time of a step of a seed, as a part of that of the seeds one after the other."""
    table = page_table("many-seeds.md", "## Is it worth it?", first="model")
    rows = [
        {
            "row": f"{row['model']}, {row['seeds']} seeds",
            "series": way,
            "value": number(row[way]) / number(row[_ALONE]),
        }
        for row in table.to_dict("records")
        for way in _WAYS
    ]
    said = "; ".join(
        f"{name} " + ", ".join(f"{row['series']} {row['value']:.2f}" for row in rows if row["row"] == name)
        for name in dict.fromkeys(row["row"] for row in rows)
    )
    alt = f"Time per seed and step, as a part of that of the same seeds one after the other: {said}."
    axis = Axis("Time per seed (1: one after the other)", (0.4, 1.5), reference=1)
    drawing = Points(rows, axis, Layout(width=360, row=28, names=170))
    return drawing.figure("seeds-at-once", "Seeds at once on a CPU", alt)
