"""Quantities as users write and read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.units import BYTES, FLOPS, GRAMS, JOULES, SECONDS, format_duration, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        (90, "s", 90.0), (0, "s", 0.0), ("90", "s", 90.0), (" 1.5 ", "s", 1.5), ("1e3", "s", 1000.0), (".5", "s", 0.5),
        ("2h", "s", 7200.0), ("1h 30m", "s", 5400.0), ("1h30m", "s", 5400.0),
        ("250 ms", "s", 0.25), ("1.5 d", "s", 129600.0),
        ("0.5 kWh", "J", 1.8e6), ("500 Wh", "J", 1.8e6), ("1 MWh", "J", 3.6e9), ("3 mJ", "J", 0.003),
        ("2KJ", "J", 2000.0),
        ("3 TFLOP", "FLOP", 3e12), ("3 TFLOPs", "FLOP", 3e12), ("1e-3 pflops", "FLOP", 1e12), ("7 flops", "FLOP", 7.0),
        ("2 kg", "g", 2000.0), ("1 t", "g", 1e6), ("5mg", "g", 0.005),
    ],
)  # fmt: skip
def test_parse(text: str | float, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "s"), (" ", "s"), ("h", "s"), ("2 fortnights", "s"), ("2h and", "s"), ("1h 30", "s"),
        ("-1", "s"), ("-2h", "s"),
        (-1, "s"), (math.nan, "s"), (math.inf, "s"), ("inf", "s"), ("nan", "s"), (True, "s"),
        ("1e999", "s"), ("1e400 h", "s"),
        ("2 kWh", "s"), ("1h", "J"), ("2s", "FLOP"), ("1.2.3 h", "s"), ("3 x", "g"),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused_with_what_is_allowed(text: str | float, unit: str) -> None:
    with pytest.raises(ValueError, match=f"quantity: .*{unit}"):
        parse_quantity(text, unit)


ALL = [("s", SECONDS), ("J", JOULES), ("FLOP", FLOPS), ("g", GRAMS), ("B", BYTES)]


@given(st.floats(0, 1e12), st.sampled_from(ALL), st.data())
def test_any_number_of_any_unit(number: float, units: tuple[str, dict[str, float]], data: st.DataObject) -> None:
    unit, factors = units
    name = data.draw(st.sampled_from(sorted(factors)))
    assert parse_quantity(f"{number!r} {name}", unit) == number * factors[name]
    assert parse_quantity(number, unit) == number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"), (0.42, "0.42 s"), (12.34, "12.3 s"), (59.94, "59.9 s"), (59.96, "1m 00s"), (245, "4m 05s"),
        (3599.6, "1h 00m"), (3600, "1h 00m"), (7380, "2h 03m"), (86399, "1d 00h"), (86400, "1d 00h"),
        (273600, "3d 04h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "J", "not measured"), (math.nan, "J", "not measured"), (0.0, "J", "0 J"), (3200.0, "J", "3.2 kJ"),
        (4.1e12, "FLOP", "4.1 TFLOP"), (999.6, "g", "1 kg"), (12.0, "g", "12 g"), (2**31, "B", "2.15 GB"),
        (1234.0, "", "1,234"), (0.5, "", "0.5"), (3.14159, "EUR", "3.142 EUR"), (90.0, "s", "1m 30s"),
    ],
)  # fmt: skip
def test_format(value: float | None, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


@given(st.floats(1e-3, 1e24))
def test_what_is_printed_is_true_to_three_digits(value: float) -> None:
    number, _, unit = format_quantity(value, "FLOP").partition(" ")
    prefix = 1000.0 ** " kMGTPEZ".index(unit.removesuffix("FLOP") or " ")
    assert float(number) * prefix == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    ("value", "unit"), [(3.6e6, "J"), (1.2e10, "J"), (2.5e6, "g"), (4.2e3, "g"), (7e9, "B"), (9e12, "FLOP")]
)
def test_what_is_printed_can_be_read_back(value: float, unit: str) -> None:
    assert parse_quantity(format_quantity(value, unit), unit) == pytest.approx(value, rel=0.01)


def test_a_millijoule_is_no_megajoule() -> None:
    assert parse_quantity("1 MJ", "J") == 1e9 * parse_quantity("1 mJ", "J")
