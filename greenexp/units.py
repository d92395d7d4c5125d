"""Units: what a quantity is counted in, how a user may write it, how it prints.

Inside greenexp every quantity is a plain number in the base unit its name carries: `wall_s` seconds, `energy_j`
joules, `train_flops` floating point operations (1 multiply-add = 2), `carbon_g` grams of CO2-equivalent.
"""

from __future__ import annotations

import math
import re

SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
JOULES = {"mj": 1e-3, "j": 1.0, "kj": 1e3, "wh": 3600.0, "kwh": 3.6e6, "mwh": 3.6e9}
FLOPS = {
    "flop": 1.0, "kflop": 1e3, "mflop": 1e6, "gflop": 1e9, "tflop": 1e12, "pflop": 1e15, "eflop": 1e18,
}  # fmt: skip
GRAMS = {"mg": 1e-3, "g": 1.0, "kg": 1e3, "t": 1e6}
BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3}

_UNITS: dict[str, dict[str, float]] = {"s": SECONDS, "J": JOULES, "FLOP": FLOPS, "g": GRAMS, "B": BYTES}
_AS_PRINTED = {"J": {"MJ": 1e6, "GJ": 1e9, "TJ": 1e12}, "g": {"Mg": 1e6}}
"""Units that are told from others by their capitals alone: mJ is a millijoule."""
QUANTITIES = frozenset(_UNITS)
"""The base units of which a quantity can be written with a unit of its own."""
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PART = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]+)\s*")


def parse_quantity(text: str | float, unit: str) -> float:
    """The number of base units (`s`, `J`, `FLOP`, `g` or `B`) in `text`: `90`, `2h`, `1h 30m`, `0.5 kWh`, `3 TFLOP`.

    A bare number is taken as base units. Units are not case-sensitive, but for what `format_quantity` prints: `MJ` is a
    megajoule, and `mj` a millijoule. Raises ValueError with the allowed units when the text is not a finite quantity of
    at least 0.
    """
    factors = _UNITS[unit]
    allowed = f"a number of {unit}, or a number with one of {', '.join(factors)}"
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a quantity: expected {allowed}")
    if isinstance(text, int | float):
        return _checked(float(text), text, allowed)
    if re.fullmatch(_NUMBER, text.strip()):
        return _checked(float(text), text, allowed)
    total, position = 0.0, 0
    while position < len(text):
        part = _PART.match(text, position)
        printed = _AS_PRINTED.get(unit, {})
        factor = (printed.get(part[2]) or factors.get(_normal(part[2], factors))) if part else None
        if part is None or factor is None:
            raise ValueError(f"{text!r} is not a quantity: expected {allowed}")
        total += float(part[1]) * factor
        position = part.end()
    if not text.strip():
        raise ValueError(f"{text!r} is not a quantity: expected {allowed}")
    return _checked(total, text, allowed)


def _normal(name: str, factors: dict[str, float]) -> str:
    """Lower case, and the plural of FLOP allowed."""
    lower = name.lower()
    return lower[:-1] if lower.endswith("flops") and lower[:-1] in factors else lower


def _checked(value: float, text: object, allowed: str) -> float:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is not a quantity: it must be finite and not negative ({allowed})")
    return value


def format_quantity(value: float | None, unit: str) -> str:
    """`value` base units for people: `1h 02m`, `3.2 kJ`, `4.1 TFLOP`, `12.0 g`; None is `not measured`."""
    if value is None or math.isnan(value):
        return "not measured"
    if unit == "s":
        return format_duration(value)
    if unit in {"J", "FLOP", "g", "B"}:
        return _with_prefix(value, unit)
    if unit in {"", "1"}:
        return f"{value:,.0f}" if float(value).is_integer() or 1e3 <= abs(value) < 1e15 else f"{value:,.4g}"
    return f"{value:,.4g} {unit}"


def format_duration(seconds: float) -> str:
    """`0.42 s`, `12.3 s`, `4m 05s`, `2h 03m`, `3d 04h`."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    hours = round(seconds / 3600)
    return f"{hours // 24}d {hours % 24:02d}h"


_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def _with_prefix(value: float, unit: str) -> str:
    power = 0
    while abs(value) >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}{unit}"
