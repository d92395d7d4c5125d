"""Long values in limited tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import TrackingError
from greenexp.tracking.names import MAX_NAME, MAX_TAG, clean
from greenexp.tracking.texts import flat, from_parts, shortened, to_parts, value_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_parts_round_trip(value: object) -> None:
    assert from_parts("t", to_parts("t", value)) == value


@given(st.text(min_size=1), st.integers(0, 40_000))
def test_long_texts_are_split_and_joined(text: str, length: int) -> None:
    value = [(text * length)[:length]]
    parts = to_parts("t", value)
    assert all(len(part) <= MAX_TAG for part in parts.values())
    assert from_parts("t", parts) == value


def test_parts_left_over_from_a_longer_value_are_ignored() -> None:
    stale = to_parts("t", ["x" * 30_000])
    assert from_parts("t", {**stale, **to_parts("t", ["y"])}) == ["y"]


def test_a_damaged_part_is_an_error() -> None:
    parts = to_parts("t", ["x" * 30_000])
    del parts["t.3"]
    with pytest.raises(TrackingError, match=r"'t' .*damaged"):
        from_parts("t", parts)


def test_absent_is_the_default() -> None:
    assert from_parts("t", {}, [1]) == [1]


@given(st.text())
def test_clean_names_pass_mlflows_own_check(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(clean(name))
    assert len(f"attempt_99/exit_99/dev_{clean(name)}") <= MAX_NAME


def test_values_read_as_in_a_sweep_file() -> None:
    values = [True, None, 1e-4, 3, "linear", [1, "é"], {}]
    assert [value_text(value) for value in values] == ["true", "null", "0.0001", "3", "linear", '[1, "é"]', "{}"]


def test_flat_settings() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": {}}) == {"a.b": 1, "a.c.d": [2], "e": {}}


@given(st.text(), st.integers(40, 100))
def test_shortened_texts_fit_and_say_so(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    assert short == text.replace("\0", "\\x00") or short.endswith("characters]")


def test_characters_that_a_database_refuses_are_escaped() -> None:
    assert shortened("a\0b\udcffc", 100) == "a\\x00b\\udcffc"
