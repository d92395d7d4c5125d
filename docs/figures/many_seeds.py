"""The figure of docs/many-seeds.md: what a step of a seed costs in a stacked model."""

from __future__ import annotations

from drawings import Axis, Layout, Points
from page_tables import number, page_table

from greenexp.figures.figure import Figure

_ALONE, _STACKED = "CPU: one after the other", "CPU: one model"


def seeds_at_once() -> Figure:
    """CPU time of a step of a seed in one stacked model, as a part of that of the seeds one after the other."""
    table = page_table("many-seeds.md", "## Is it worth it?", first="model")
    rows = [
        {"row": f"{row['model']}, {row['seeds']} seeds", "value": number(row[_STACKED]) / number(row[_ALONE])}
        for row in table.to_dict("records")
    ]
    said = ", ".join(f"{row['row']} {row['value']:.2f}" for row in rows)
    alt = f"CPU time of one stacked model as a part of that of the same seeds one after the other: {said}."
    axis = Axis("CPU time as a part of that of one after the other", (0.9, 1.5), reference=1)
    drawing = Points(rows, axis, Layout(width=360, row=28, names=150))
    return drawing.figure("seeds-at-once", "Seeds as one model on a CPU", alt)
