"""What is wrong with a search or with what it searches, each at its place in the sweep file."""

from __future__ import annotations

import pytest
from told import tells

from greenexp.errors import SweepFileError
from greenexp.plan import make_plan
from greenexp.spec import load_sweep

HEAD = "name: x\ntask: {name: clauses}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as raised:
        make_plan(load_sweep(text, source="f"))
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metric: {exit: 3}\nexits: {layers: [1, 2]}", "f:3:16: metric.exit: … got 3"),
        ("search: {name: gird}", "f:3:16: search.name: … 'gird' … 'grid'"),
        ("search: {name: random, samples: 2}", "f:3:33: search.samples: … 'space' … 2 samples"),
        ("search: {name: random, sample: 1}", "f:3:24: search.sample: … 'samples'"),
        ("search: {name: grid}", "f:3:9: search: … 'space'"),
        ("search: {name: points, points: []}", "f:3:32: search.points:"),
        ("search: {name: points, points: [{training.epoch: 3}]}",
         "f:3:34: search.points.0.training.epoch: … 'epochs'"),
        ("search: {name: points, points: [{training.epochs: 0}]}",
         "f:3:51: search.points.0.training.epochs: … got 0"),
        ("search: {name: points, points: [{training.learning_rate: .inf}]}",
         "f:3:58: search.points.0.training.learning_rate: … finite"),
    ],
)  # fmt: skip
def test_one_problem(text: str, expected: str) -> None:
    (problem,) = (problem for problem in problems(HEAD + text) if not problem.endswith("is missing"))
    assert tells(problem, expected)


def test_a_grid_over_a_range_needs_steps() -> None:
    text = HEAD + "search: {name: grid}\nspace: {training.warmup: {dist: uniform, low: 0, high: 1}}"
    (problem,) = problems(text)
    assert tells(problem, "f:4:26: space.training.warmup: … 'steps'")


def test_a_space_without_a_search() -> None:
    text = HEAD + "space: {training.warmup: {dist: uniform, low: 0, high: 1}}"
    (problem,) = problems(text)
    assert "'search'" in problem


def test_points_and_a_space_exclude_each_other() -> None:
    text = HEAD + "search: {name: points, points: [{training.epochs: 2}]}\n"
    (problem,) = problems(text + "space: {training.warmup: {dist: uniform, low: 0, high: 1}}")
    assert "search 'points'" in problem


def test_a_plan_too_large_for_memory_is_refused_before_it_is_made() -> None:
    text = HEAD + "search: {name: grid}\nspace: {training.batch_size: {dist: int, low: 1, high: 1000000000000}}"
    (problem,) = problems(text)
    assert tells(problem, "f:3:9: search: … 1,000,000,000,000 trials … 100,000")
