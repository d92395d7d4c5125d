"""Budgets as people write them, `1,2,5,10` or `1:100`."""

from __future__ import annotations

import math

import click

_MOST = 100_000


def parse_budgets(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Budgets in ascending order, each once: numbers and ranges `FIRST:LAST[:STEP]`, both ends included."""
    if value is None:
        return None
    found: set[float] = set()
    for part in value.split(","):
        try:
            ends = [float(number) for number in part.split(":")]
        except ValueError:
            ends = []
        if not 1 <= len(ends) <= 3 or not all(math.isfinite(end) and end > 0 for end in ends):
            raise click.BadParameter(f"expected numbers above 0 and ranges, such as 1,2,5,10 or 1:100, got '{part}'")
        first, last, step = ends[0], ends[min(1, len(ends) - 1)], ends[2] if len(ends) == 3 else 1.0
        if last < first or (last - first) / step > _MOST:
            raise click.BadParameter(f"'{part}' is empty or has more than {_MOST} numbers")
        found.update(first + step * k for k in range(math.floor((last - first) / step * (1 + 1e-12)) + 1))
    return tuple(sorted(found))
