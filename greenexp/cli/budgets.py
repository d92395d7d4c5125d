"""Budgets as people write them, `1,2,5,10` or `1:100`, and which are looked at if nobody says."""

from __future__ import annotations

import math

import click
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MOST = 100_000
_AMOUNTS = 12


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


def round_numbers(last: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50, ... below `last`, and `last`."""
    decades = range(math.ceil(math.log10(last)) + 1) if last > 1 else range(1)
    below = [float(digit * 10**power) for power in decades for digit in (1, 2, 5)]
    return (*(number for number in below if number < last), float(last))


def amounts(least: float, most: float, number: int = _AMOUNTS) -> tuple[float, ...]:
    """`number` amounts from `least` to `most` in equal ratios, rounded down to three digits but for the ends."""
    if most <= least:
        return (most,)
    inner = np.geomspace(least, most, number)[1:-1]
    digits = [2 - math.floor(math.log10(amount)) for amount in inner]
    rounded = [math.floor(amount * 10.0**digit) / 10.0**digit for amount, digit in zip(inner, digits, strict=True)]
    return tuple(sorted({least, *(amount for amount in rounded if least < amount < most), most}))
