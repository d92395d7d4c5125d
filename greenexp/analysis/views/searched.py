"""The searched fields of a sweep: which a configuration has, what they are in words, where they lie on an axis.

The position of a value on the axis of its field is 0 at the low end and 1 at the high end,

    linear     (v - low) / (high - low)                     uniform and whole numbers
    log        log(v / low) / log(high / low)               log-uniform
    category   k / (K - 1), 1/2 for K = 1                   the k-th of K values, from 0, numbers in their order

A field without a distribution (listed points) gets the axis of its own values: categories unless all are numbers, and
logarithmic where all are above 0 and the largest is at least `LOG_RATIO` times the smallest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.errors import InputError, did_you_mean
from greenexp.records.conditional_space import holds, parents_first
from greenexp.records.search_space import Choice, Distribution, Int, LogUniform
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.records.values import coordinate

LINEAR, LOG, CATEGORY = "linear", "log", "category"
LOG_RATIO = 100.0
AXES_COLUMNS = ("field", "label", "kind", "low", "high", "categories")
TICK_COLUMNS = ("field", "position", "text")
_MOST_TICKS = 6
_TEXT = 24


@dataclass(frozen=True, slots=True)
class FieldAxis:
    """field: dotted path; label: its last parts, as many as tell fields apart; kind: linear, log or category.

    low, high: ends of the axis, NaN for categories; categories: their texts in the order of the axis
    """

    field: str
    label: str
    kind: str
    low: float
    high: float
    categories: tuple[str, ...] = ()

    def position(self, value: Any) -> float:
        """Where a value lies, 0 to 1; NaN for one that is not on the axis."""
        if self.kind == CATEGORY:
            text = value_text(value)
            if text not in self.categories:
                return math.nan
            return self.categories.index(text) / (len(self.categories) - 1) if len(self.categories) > 1 else 0.5
        number = float(value)
        if self.high <= self.low:
            return 0.5
        if self.kind == LOG:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """(position, text) of marks along the axis: every category, or round numbers and the two ends."""
        if self.kind == CATEGORY:
            return [(self.position_of(k), short(text)) for k, text in enumerate(self.categories)]
        values = _decades(self.low, self.high) if self.kind == LOG else _round_numbers(self.low, self.high)
        inner = [v for v in values if 0.08 < self.position(v) < 0.92]
        return [(self.position(v), f"{v:.4g}") for v in dict.fromkeys((self.low, *inner, self.high))]

    def position_of(self, place: int) -> float:
        """Where the category at a place, from 0, lies."""
        return place / (len(self.categories) - 1) if len(self.categories) > 1 else 0.5


def field_values(tables: SweepTables) -> dict[str, dict[str, Any]]:
    """Configuration -> field -> value, in plan order, of the searched fields that the configuration has."""
    first = tables.trials.drop_duplicates("configuration")
    columns = {path: first[PARAMS + path].tolist() for path in tables.parameters}
    space = tables.spec.space
    order = [path for path in parents_first(space) if path in columns]
    order += [path for path in columns if path not in space]
    found: dict[str, dict[str, Any]] = {}
    for row, configuration in enumerate(first["configuration"]):
        found[str(configuration)] = _own({path: columns[path][row] for path in order}, space)
    return found


def _own(values: Mapping[str, Any], space: Mapping[str, Distribution]) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for path, value in values.items():
        given = space.get(path)
        if given is None:
            if not _is_missing(value):
                own[path] = value
        elif holds(given, own):
            own[path] = _as_listed(given, value)
    return own


def _as_listed(given: Distribution, value: Any) -> Any:
    """A choice's value as the file lists it: a table's column may have made a float, a text or NaN of it."""
    if isinstance(given, Choice):
        listed = list(given.ends().values())
        same = [one for one in listed if repr(coordinate(one)) == repr(value)]
        equal = [one for one in listed if coordinate(one) == value or (one is None and _is_missing(value))]
        return next(iter((*same, *equal)), value)
    return int(value) if isinstance(given, Int) and not _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def field_named(tables: SweepTables, name: str) -> str:
    """The searched field meant by `name`, with or without its prefix; InputError if it was not searched."""
    path = name.removeprefix(PARAMS)
    if path not in tables.parameters:
        known = tables.parameters
        listed = f"searched: {', '.join(known)}" if known else "no field was searched"
        raise InputError(f"'{path}' is no searched field{did_you_mean(path, known)} ({listed})")
    return path


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """Path -> its last part, or as many of its last parts as no other path shares; `method` for `method.name`."""
    names = {}
    for path in paths:
        if path.endswith(".name") and path.removesuffix(".name") not in paths:
            names[path] = path.removesuffix(".name")
            continue
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[-count:])
            if sum(other == name or other.endswith(f".{name}") for other in paths) == 1:
                break
        names[path] = name
    return names


def value_text(value: Any) -> str:
    """A value as one would write it: `0.00099`, `linear`, `true`, `none`, `[3, 6]`."""
    if _is_missing(value):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(coordinate(value))


def short(text: str) -> str:
    """Both ends of a long text."""
    half = _TEXT // 2
    return text if len(text) <= _TEXT else f"{text[: half - 1]}…{text[-half:]}"


def settings_texts(tables: SweepTables) -> dict[str, str]:
    """Configuration -> its searched fields in words: `learning_rate 0.00099, weights linear`."""
    names = short_names(tables.parameters)
    return {
        configuration: ", ".join(f"{names[path]} {value_text(own[path])}" for path in tables.parameters if path in own)
        for configuration, own in field_values(tables).items()
    }


def field_axes(tables: SweepTables, values: Mapping[str, Mapping[str, Any]]) -> list[FieldAxis]:
    """An axis for each searched field, in the order of the tables; values: as of `field_values`."""
    names = short_names(tables.parameters)
    return [
        _axis(path, names[path], tables.spec.space.get(path), [own[path] for own in values.values() if path in own])
        for path in tables.parameters
    ]


def _axis(path: str, label: str, given: Distribution | None, values: Sequence[Any]) -> FieldAxis:
    if isinstance(given, Choice):
        listed = list(given.ends().values())
        if all(_is_number(value) for value in listed):
            listed = sorted(listed, key=float)  # type: ignore[arg-type]
        return _categories(path, label, [*listed, *values])
    numbers = [float(value) for value in values if _is_number(value)]
    if given is not None:
        ends = [float(end) for end in given.ends().values()]  # type: ignore[arg-type]
        kind = LOG if isinstance(given, LogUniform) else LINEAR
        return FieldAxis(path, label, kind, min([*ends, *numbers]), max([*ends, *numbers]))
    if not numbers or len(numbers) < len(values):
        return _categories(path, label, values)
    low, high = min(numbers), max(numbers)
    return FieldAxis(path, label, LOG if low > 0 and high >= LOG_RATIO * low else LINEAR, low, high)


def _categories(path: str, label: str, values: Sequence[Any]) -> FieldAxis:
    return FieldAxis(path, label, CATEGORY, math.nan, math.nan, tuple(dict.fromkeys(map(value_text, values))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not _is_missing(value)


def axes_table(axes: Sequence[FieldAxis]) -> pd.DataFrame:
    """`AXES_COLUMNS`, a row per axis; `categories` holds lists."""
    rows = [(a.field, a.label, a.kind, a.low, a.high, list(a.categories)) for a in axes]
    return pd.DataFrame(rows, columns=list(AXES_COLUMNS))


def ticks_table(axes: Sequence[FieldAxis]) -> pd.DataFrame:
    """`TICK_COLUMNS`, a row per mark along an axis."""
    rows = [(axis.field, at, text) for axis in axes for at, text in axis.ticks()]
    return pd.DataFrame(rows, columns=list(TICK_COLUMNS))


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between the ends, thinned to a few; with less than two of them, 2 and 5 times them too."""
    exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    if len(exponents) < 2:
        around = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        return [m * 10.0**e for e in around for m in (1, 2, 5) if low < m * 10.0**e < high]
    step = math.ceil(len(exponents) / _MOST_TICKS)
    return [10.0**e for e in exponents[::step]]


def _round_numbers(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between the ends, at most `_MOST_TICKS`."""
    if high <= low:
        return []
    rough = (high - low) / _MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]
