"""Whatever is in the file: a sweep, or an InputError; never another exception."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenexp.errors import InputError, SweepFileError
from greenexp.spec import Document, SweepSpec, dump_resolved, load_sweep

VALID = """\
name: fuzz
task:      {name: clauses, train: 2000}
backbone:  {name: bert, layers: 4}
exits:     {layers: [2, 4], head: {name: linear}}
training:  {epochs: 9, learning_rate: 1e-3, clip_norm: null}
metric:    {name: accuracy, exit: 1, mode: max}
space:
  training.learning_rate: {dist: loguniform, low: 3e-4, high: 3e-3, steps: 3}
  training.batch_size: {dist: int, low: 8, high: 64, step: 8}
  method.weights: {dist: choice, values: [uniform, linear]}
search:    {name: random, samples: 8, seed: 0}
seeds:     {root: 0, initialisation: 2, order: 2, design: paired}
scheduler: {name: asha, reduction_factor: 3}
budget:    {wall_s: 2h 30m, energy_j: 0.5 kWh}
resources: {workers: 2}
"""
TOKENS = (
    *"{}[]:,#&*!|>%@`'\"-?\n\t \\",
    ": ", "- ", "  ", "\n  ", "---\n", "...\n", "<<: ", "&a ", "*a", "!!int ", "!!python/name:os ", "null", "1e-4",
    ".inf", ".nan", "-.5", "0o17", "0xff", "9" * 40, "1e999", "yes", "\ufeff", "\x00", "\x85", "\u2028", "name",
    "space", "task", '"\\ud800"', '"\\UFFFFFFFF"', "training.learning_rate", "search", "points", "true", "2001-01-01",
)  # fmt: skip
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["all", "grid", "2h"])
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3), max_leaves=6
)


def outcome(text: str, overrides: tuple[str, ...] = ()) -> Document | None:
    """The document, if it can be read at all; checks that it says either what is wrong or what it means."""
    try:
        document = load_sweep(text, overrides)
    except InputError:
        return None
    if document.problems:
        assert document.spec is None
        for problem in document.problems:
            assert problem.message
            assert (problem.line is None) == (problem.source == "--set")
    else:
        assert isinstance(document.checked(), SweepSpec)
        assert load_sweep(dump_resolved(document.checked())).checked() == document.spec
    return document


@FUZZ
@given(st.text())
def test_any_text(text: str) -> None:
    outcome(text)


@FUZZ
@given(st.lists(st.sampled_from(TOKENS), max_size=30))
def test_text_that_looks_like_yaml(tokens: list[str]) -> None:
    outcome("".join(tokens))


@FUZZ
@given(st.integers(0, len(VALID)), st.integers(0, 12), st.lists(st.sampled_from(TOKENS), max_size=3))
def test_a_valid_file_with_a_stretch_replaced(start: int, length: int, tokens: list[str]) -> None:
    outcome(VALID[:start] + "".join(tokens) + VALID[start + length :])


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


VALID_DATA = yaml.safe_load(VALID)
PLACES = [place for place in places(VALID_DATA) if place]


@FUZZ
@given(st.sampled_from(PLACES), values)
def test_a_valid_file_with_a_value_replaced(place: tuple[Any, ...], value: Any) -> None:
    data = yaml.safe_load(VALID)
    inner = data
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    outcome(yaml.safe_dump(data))


@FUZZ
@given(st.sampled_from(PLACES), st.text(max_size=12) | st.sampled_from(TOKENS), st.text(max_size=4))
def test_any_override(place: tuple[Any, ...], value: str, suffix: str) -> None:
    path = ".".join(map(str, place)) + suffix
    outcome(VALID, (f"{path}={value}",))


@FUZZ
@given(st.lists(st.text(max_size=20), max_size=3))
def test_any_text_as_override(overrides: list[str]) -> None:
    outcome(VALID, tuple(overrides))


def test_the_file_that_is_mutated_is_valid() -> None:
    document = outcome(VALID)
    assert document is not None
    assert document.problems == ()


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: Any, content: bytes) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "fuzzed.yaml"
    path.write_bytes(content)
    with contextlib.suppress(SweepFileError):
        load_sweep(path).checked()
