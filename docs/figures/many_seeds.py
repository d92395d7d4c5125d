"""The figure of docs/many-seeds.md, from its table."""

from __future__ import annotations

from drawings import Axis, Layout, Points
from page_tables import number, page_table

from greenexp.figures.figure import Figure


def seeds_at_once() -> Figure:
    """CPU time of a step of a seed, one after the other and as one model."""
    table = page_table("many-seeds.md", "## Is it worth it?", first="model")
    ways = ("CPU: one after the other", "CPU: one model")
    rows = [
        {"panel": f"{row['model']}, {row['seeds']} seeds", "row": way, "value": number(row[way])}
        for row in table.to_dict("records")
        for way in ways
    ]
    said = "; ".join(
        f"{row['model']}, {row['seeds']} seeds: {', '.join(f'{way} {number(row[way]):g}' for way in ways)}"
        for row in table.to_dict("records")
    )
    alt = f"Three panels with CPU milliseconds per seed and step. {said}."
    axis = Axis("CPU milliseconds per seed and step", (10, 1000), log=True)
    drawing = Points(rows, axis, Layout(width=150, columns=3, row=26, names=150))
    return drawing.figure("seeds-at-once", "Several seeds at once on two CPU cores", alt)
