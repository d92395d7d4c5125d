"""What the fields of the built-in exit policies may be: one table, so that stream and replay form refuse alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np

from greenexp.errors import InputError

Threshold = float | Mapping[int, float]
"""One threshold for every exit, or exit number -> threshold; an exit without one never lets anybody leave."""
Rule = Callable[[Any], Any]
"""From what was received to what the field becomes; `UnfitError` if it may not."""

_MOST = 2**31 - 1


class UnfitError(Exception):
    """What would have been allowed."""


def check_fields(policy: object, name: str) -> None:
    """Bring the fields of a policy, a frozen dataclass, to their types. InputError for what may not be there."""
    for field, rule in _RULES[name].items():
        value = getattr(policy, field)
        try:
            object.__setattr__(policy, field, rule(value))
        except UnfitError as allowed:
            raise InputError(f"exit policy '{name}': {field} must be {allowed}, received {value!r}") from None


def limit_at(threshold: Threshold, number: int) -> float:
    """The threshold at exit `number`, rounded to float32 as what it is compared with; NaN where there is none.

    Beyond the range of float32 it is an infinity. Nothing compares with NaN, so nobody leaves there.
    """
    return _as_float32(threshold.get(number, math.nan) if isinstance(threshold, Mapping) else threshold)


@lru_cache(maxsize=1024)  # asked at every exit of every example that is served
def _as_float32(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _number(low: float = -math.inf, high: float = math.inf) -> Rule:
    bounds = "" if low == -math.inf else f" >= {low:g}" if high == math.inf else f" from {low:g} to {high:g}"

    def rule(value: Any) -> float:
        is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
        try:
            found = float(value) if is_number else math.nan
        except OverflowError:
            raise UnfitError(f"a number{bounds} that a float can hold") from None
        if not low <= found <= high:
            raise UnfitError(f"a number{bounds}")
        return found

    return rule


def _whole(low: int) -> Rule:
    def rule(value: Any) -> int:
        is_real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
        if not is_real or not (isinstance(value, Integral) or float(value).is_integer()) or value < low:
            raise UnfitError(f"a whole number >= {low}")
        if value > _MOST:
            raise UnfitError(f"a whole number up to {_MOST}")
        return int(value)

    return rule


def _one_of(*allowed: str) -> Rule:
    def rule(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise UnfitError(" or ".join(map(repr, allowed)))
        return value

    return rule


def _flag(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise UnfitError("true or false")
    return bool(value)


def _or_none(rule: Rule) -> Rule:
    """None too, also as tables have it: NaN."""

    def either(value: Any) -> Any:
        try:
            return None if value is None or (isinstance(value, float) and math.isnan(value)) else rule(value)
        except UnfitError as allowed:
            raise UnfitError(f"{allowed}, or none") from None

    return either


def _per_exit(rule: Rule) -> Rule:
    """One value, or exit number -> value (a number that is text too, as JSON has it)."""

    def either(value: Any) -> Any:
        try:
            if not isinstance(value, Mapping):
                return rule(value)
            numbers = [int(key) if isinstance(key, str) and key.isdecimal() else key for key in value]
            found = {_whole(1)(number): rule(one) for number, one in zip(numbers, value.values(), strict=True)}
        except UnfitError:
            found = {}
        if not found:
            raise UnfitError(f"{_allowed(rule)}, or exit number -> such a number")
        return found

    return either


def _allowed(rule: Rule) -> str:
    try:
        rule(None)
    except UnfitError as allowed:
        return str(allowed)
    return "none"


_RULES: Mapping[str, Mapping[str, Rule]] = {
    "entropy": {"threshold": _per_exit(_number()), "normalised": _flag, "comparator": _one_of("<", "<=")},
    "max_probability": {
        "threshold": _per_exit(_number(low=0)),
        "comparator": _one_of(">=", ">"),
        "unsure": _one_of("last", "most_confident"),
    },
    "patience": {"patience": _whole(0), "tolerance": _or_none(_number(low=0))},
    "voting": {"threshold": _number(low=0), "exponent": _number(low=0, high=1)},
    "learned": {"threshold": _per_exit(_number()), "comparator": _one_of("<", "<=")},
    "static": {"exit": _or_none(_whole(1))},
    "oracle": {"never_right": _one_of("last", "first")},
}


def sign_of(options: dict[str, str], default: str) -> str:
    """The comparator among the options of a label, which is taken out of them, as it is written in sentences."""
    given = options.pop("comparator", default)
    return {">=": "≥", "<=": "≤"}.get(given, given)
