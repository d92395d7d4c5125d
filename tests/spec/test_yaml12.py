"""YAML 1.2 core schema, and the place of everything."""

from __future__ import annotations

import math
from typing import Any

import pytest
from told import tells

from greenexp.errors import SweepFileError
from greenexp.spec.yaml12 import MAX_DEPTH, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E+3", 1e3), ("-.5", -0.5), ("5.", 5.0), ("+12", 12), ("0o17", 15), ("0xfF", 255), ("007", 7),
        (".inf", math.inf), ("-.INF", -math.inf), ("true", True), ("FALSE", False), ("~", None), ("null", None),
        ("", None), ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("1_000", "1_000"), ("1:30", "1:30"),
        ("2026-10-01", "2026-10-01"), ("0b101", "0b101"), ("e5", "e5"), (".", "."), ("1e", "1e"), ("'1e-4'", "1e-4"),
        ("!!str 5", "5"), ("!!float 5", 5.0), ("tRUE", "tRUE"), ("0x", "0x"), ("=", "="), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_are_what_the_core_schema_says(text: str, value: Any) -> None:
    tree = parse(f"key: {text}", "f")
    assert tree.problems == []
    assert tree.data == {"key": value}
    assert type(tree.data["key"]) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(parse("key: .NaN", "f").data["key"])


def test_every_key_and_value_has_its_place() -> None:
    tree = parse("a: 1\nspace:\n  b.c: {low:  2}\nlist:\n- x\n-  y: z\n", "f")
    assert tree.places["a"].key == (1, 1)
    assert tree.places["a"].value == (1, 4)
    assert tree.places["space.b.c"].key == (3, 3)
    assert tree.places["space.b.c.low"].value == (3, 15)
    assert tree.places["list.0"].key is None
    assert tree.places["list.1.y"].key == (6, 4)


@pytest.mark.parametrize(
    ("text", "path", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3", "a", 3, 1, "'a' … line 1"),
        ("a: {b: 1, b: 2}", "a.b", 1, 11, "given twice"),
        ("a: !!python/object:os.system x", "a", 1, 4, "'!!python/object:os.system'"),
        ("a: !mine {x: 1}", "a", 1, 4, "'!mine'"),
        ("a: !!binary aGk=", "a", 1, 4, "not allowed"),
        ("a: !!set {x}", "a", 1, 4, "not allowed"),
        ("a: !!int five", "a", 1, 4, "'five'"),
        ("1: x", "", 1, 1, "'1' is not text"),
        ("? [a, b]\n: x", "", 1, 3, "text"),
        ("? !!python/name:os.system x\n: 1", "", 1, 3, "is not text"),
        ("a: 99999999999999999999", "a", 1, 4, "too large"),
        (f"a: {'9' * 5000}", "a", 1, 4, "too large"),
        ('a: "\\ud800"', "a", 1, 4, "surrogate"),
        ("a: &x [*x]", "a.0", 1, 4, "alias"),
    ],
)
def test_what_cannot_be_kept_is_a_problem_with_its_place(
    text: str, path: str, line: int, column: int, message: str
) -> None:
    (problem,) = parse(text, "f").problems
    assert (problem.path, problem.source, problem.line) == (path, "f", line)
    assert problem.column == column
    assert tells(problem.message, message)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: {b: 1", 1, 9, "YAML syntax"),
        ("a: 1\n\tb: 2", 2, 1, "tab"),
        ("a: 1\n---\nb: 2", 2, 1, "second"),
        ("a: *nowhere", 1, 4, "undefined alias"),
        ("a: b: c", 1, 5, "YAML syntax"),
        ("a: \x07", 1, 4, "allowed"),
        ('a: "\\UFFFFFFFF"', 1, 1, "not readable"),
        ("[" * (MAX_DEPTH + 5), 1, MAX_DEPTH + 1, "levels deep"),
        ("[" * 100_000, 1, MAX_DEPTH + 1, "levels deep"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(SweepFileError) as caught:
        parse(text, "f")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


def test_aliases_mean_what_they_name() -> None:
    tree = parse("a: &x {b: 1}\nc: *x", "f")
    assert tree.data == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(SweepFileError, match="more than 200,000 values"):
        parse("\n".join(lines), "f")
