"""Which budgets are looked at where nobody names any, and which of those named are within what is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from greenexp.analysis.numbers.rounding import raised
from greenexp.records.axes import AXES
from greenexp.units import JOULES, format_quantity

MOST_NAMED = 3
"""Budgets out of reach that a sentence names."""
_DIGITS = (1, 2, 5)
_LEAST_KWH = 0.1


def round_numbers(last: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50, ... below `last`, and `last`."""
    decades = range(math.ceil(math.log10(last)) + 1) if last > 1 else range(1)
    below = [float(digit * 10**power) for power in decades for digit in _DIGITS]
    return (*(number for number in below if number < last), float(last))


def amounts(least: float, most: float, number: int = 12) -> tuple[float, ...]:
    """`number` amounts from `least` to `most` in equal ratios, rounded down to three digits but for the ends."""
    if most <= least:
        return (most,)
    inner = np.geomspace(least, most, number)[1:-1]
    digits = [2 - math.floor(math.log10(amount)) for amount in inner]
    rounded = [math.floor(amount * 10.0**digit) / 10.0**digit for amount, digit in zip(inner, digits, strict=True)]
    return tuple(sorted({least, *(amount for amount in rounded if least < amount < most), most}))


def amount_text(cost: str, amount: float) -> str:
    """`2.1 TFLOP` on the budget axis `train_flops`; of any other column the number that it is, `2.1e+12`.

    Energies that a bill would show are told in kWh too.
    """
    axis = AXES.get(cost)
    if axis is None:
        return f"{amount:.4g}"
    hours = amount / JOULES["kwh"]
    also = f" ({hours:.3g} kWh)" if axis.unit == "J" and hours >= _LEAST_KWH else ""
    return f"{format_quantity(amount, axis.unit)}{also}"


def within_reach(budgets: Sequence[float], most: float, cost: str = "") -> tuple[tuple[float, ...], str]:
    """The budgets up to `most`, and the others in words: an empty text, or `30, 40, 50 and 2 more`.

    cost: what they are amounts of, if they are no numbers of trials
    """
    kept = tuple(budget for budget in budgets if budget <= raised(most))
    beyond = [amount_text(cost, budget) if cost else f"{budget:g}" for budget in budgets if budget not in kept]
    rest = len(beyond) - MOST_NAMED
    return kept, ", ".join(beyond[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
