"""In which unit an axis counts, so that its labels are short numbers."""

from __future__ import annotations

import math

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
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
