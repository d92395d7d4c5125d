"""In which unit an axis counts, so that its labels are short numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
_FEW = 8
_TIMES = ((3 * 3600.0, 3600.0, "h"), (180.0, 60.0, "min"))


def axis_unit(unit: str, largest: float) -> tuple[float, str]:
    """(divisor, name) for values of base unit `unit` up to `largest`: `(3600.0, "h")`, `(1e9, "GFLOP")`."""
    if not math.isfinite(largest) or largest <= 0:
        return 1.0, unit
    if unit == "s":
        return next(((divisor, name) for least, divisor, name in _TIMES if largest >= least), (1.0, "s"))
    if unit in {"J", "FLOP", "g", "B"}:
        power = min(max(int(math.log10(largest) // 3), 0), len(_PREFIXES) - 1)
        return 1000.0**power, f"{_PREFIXES[power]}{unit}"
    return 1.0, unit


def room_for_one(values: Iterable[float]) -> dict[str, Any]:
    """The scale of an axis on which all values are one: some room around it; of others, nothing.

    Without it, the axis has one tick, whose name is the value without its decimals.
    """
    known = {value for value in values if math.isfinite(value)}
    if len(known) != 1:
        return {}
    (value,) = known
    room = 0.05 * abs(value) or 1.0
    return {"domain": [value - room, value + room]}


def whole_ticks(values: Iterable[float]) -> dict[str, Any]:
    """The axis of a quantity that is a whole number: each of a short range has a tick, a long one about eight.

    Vega halves the steps of a short range, and then writes whole numbers twice.
    """
    known = [value for value in values if math.isfinite(value)]
    low, high = math.ceil(min(known, default=0.0)), math.floor(max(known, default=0.0))
    few = {"values": list(range(low, high + 1))} if high - low <= _FEW else {"tickCount": _FEW}
    return {"tickMinStep": 1, "format": "d", **few}
