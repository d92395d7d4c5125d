"""`--set path=value`."""

from __future__ import annotations

from typing import Any

import pytest
from told import tells

from greenexp.spec import load_sweep
from greenexp.spec.paths import value_at

TEXT = """name: x
task: {name: clauses}
training: {epochs: 9}
exits: {layers: [1, 2, 3]}
search: {name: points, points: [{training.warmup: 0.1}, {training.warmup: 0.2}]}
"""
SPACE = """name: x
task: {name: clauses}
search: {name: random, samples: 2}
space: {training.learning_rate: {dist: loguniform, low: 1e-5, high: 1e-3}}
"""


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.epochs=3", "training.epochs", 3),
        ("training.learning_rate=1e-4", "training.learning_rate", 1e-4),
        ("training.clip_norm=null", "training.clip_norm", None),
        ("training.clip_norm=", "training.clip_norm", None),
        ("task.text=a=b", "task.text", "a=b"),
        ("task.deep.er=[1, {a: yes}]", "task.deep.er", [1, {"a": "yes"}]),
        ("seeds={initialisation: 3}", "seeds.initialisation", 3),
        (" resources.workers =4", "resources.workers", 4),
        ("budget.wall_s=2h", "budget.wall_s", 7200.0),
    ],
)
def test_a_field_is_set(override: str, path: str, value: Any) -> None:
    spec = load_sweep(TEXT, [override]).checked()
    assert value_at(spec.model_dump(), path) == value


def test_a_section_that_is_left_out_keeps_its_default_plug_in() -> None:
    overrides = ["method.weights=linear", "backbone.layers=2", "scheduler.x=1", "search.seed=7"]
    head = "exits.head={name: linear, dropout: 0.5}"
    spec = load_sweep("name: x\ntask: {name: a}", [*overrides, head]).checked()
    assert spec.method.name == "branchynet"
    assert spec.method.options == {"weights": "linear"}
    assert spec.exits.head.name == "linear"
    assert (spec.search.name, *spec.search.options.values()) == ("random", 1, 7)
    (problem,) = load_sweep("name: x", ["task.train=3"]).problems
    assert str(problem) == "--set: task.name: is missing"


def test_later_overrides_win() -> None:
    assert load_sweep(TEXT, ["training.epochs=3", "training.epochs=4"]).checked().training.epochs == 4


def test_list_items_count_from_0() -> None:
    assert load_sweep(TEXT, ["exits.layers.2=5"]).checked().exits.layers == (1, 2, 5)


def test_keys_that_are_paths_themselves() -> None:
    search = load_sweep(TEXT, ["search.points.1.training.warmup=0.5"]).checked().search
    assert search.options["points"] == [{"training.warmup": 0.1}, {"training.warmup": 0.5}]
    space = load_sweep(SPACE, ["space.training.learning_rate.high=1e-2"]).checked().space
    assert space["training.learning_rate"].high == 1e-2
    more = load_sweep(SPACE, ["space.training.batch_size={dist: choice, values: [8, 16]}"]).checked().space
    assert list(more) == ["training.learning_rate", "training.batch_size"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epoch=3", "--set: training.epoch: … 'epochs'"),
        ("trainin.epochs=3", "--set: trainin: … 'training'"),
        ("training.epochs=many", "--set: training.epochs: … got 'many'"),
        ("training.epochs.x=3", "--set: training.epochs.x: "),
        ("training.epochs", "--set: … path=value … 'training.epochs'"),
        ("training..epochs=3", "--set: … path=value"),
        ("=3", "--set: … path=value"),
        ("exits.layers.3=5", "--set: exits.layers.3: … 0 to 2"),
        ("exits.layers.-1=5", "'-1'"),
        ("training.epochs={a: ", "--set: training.epochs: "),
        ("training.epochs=!!python/name:os.system x", "--set: training.epochs: the tag '!!python/name:os.system'"),
        ("training={epochs: 1, epochs: 2}", "--set: training.epochs: … 'epochs'"),
    ],
)
def test_what_is_wrong_with_an_override(override: str, expected: str) -> None:
    problems = [str(problem) for problem in load_sweep(TEXT, [override]).problems]
    assert any(tells(problem, expected) for problem in problems)
    assert all(problem.startswith("--set") for problem in problems)


def test_what_was_replaced_has_the_place_of_what_replaced_it() -> None:
    (problem,) = load_sweep(TEXT, ["training={epochs: 0}"], source="f").problems
    assert tells(str(problem), "--set: training.epochs: … got 0")
    (problem,) = load_sweep(TEXT, ["task.train=3", "exits.layers=[2, 1]"], source="f").problems
    assert str(problem).startswith("--set: exits.layers:")
