"""Fields that are lists are searched like any other; a list stands in tables as its text."""

from __future__ import annotations

import json

import pytest
from told import tells

from greenexp.errors import SweepFileError
from greenexp.plan import Plan, make_plan
from greenexp.records.trial import TrialSpec
from greenexp.records.values import coordinate
from greenexp.spec import load_sweep

HEAD = "name: x\ntask: {name: clauses}\nbackbone: {name: bert, layers: 4}\n"
WEIGHTS = "method: {name: branchynet}\n"


def plan(text: str, *overrides: str) -> Plan:
    return make_plan(load_sweep(HEAD + text, overrides, source="f"))


def refusal(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        plan(text)
    return str(caught.value).split("\n")


GRID = """space:
  method.weights: {dist: choice, values: [uniform, [0.5, 0.5, 0.5, 1], [1, 1, 1, 1]]}
search: {name: grid}
"""


def test_numbers_of_a_choice_reach_the_method():
    found = plan(WEIGHTS + GRID).configurations
    assert [c.settings.method.options["weights"] for c in found] == [
        "uniform",
        [0.5, 0.5, 0.5, 1.0],
        [1.0, 1.0, 1.0, 1.0],
    ]
    assert [c.searched["method.weights"] for c in found] == ["uniform", "[0.5, 0.5, 0.5, 1.0]", "[1.0, 1.0, 1.0, 1.0]"]


def test_random_draws_take_lists_too():
    random = GRID.replace("{name: grid}", "{name: random, samples: 20}")
    drawn = [str(c.settings.method.options["weights"]) for c in plan(WEIGHTS + random).configurations]
    assert len(set(drawn)) == 3


def test_layers_of_exits_and_of_a_method_are_points():
    points = (
        "search: {name: points, points: [{method.name: branchynet, exits.layers: [2, 4]}, "
        "{method.name: righttool, method.layers: [1, 4]}, {method.name: finetune, method.layers: 3}]}"
    )
    first, second, third = plan(WEIGHTS + points).configurations
    assert first.settings.exits.layers == (2, 4)
    assert first.searched["exits.layers"] == "[2, 4]"
    assert second.settings.method.options["layers"] == [1, 4]
    assert (second.searched["exits.layers"], second.searched["method.layers"]) == ("all", "[1, 4]")
    assert third.searched["method.layers"] == 3


def test_a_trial_with_a_list_travels_as_json():
    trial = plan(WEIGHTS + GRID).trials[-1]
    assert TrialSpec.from_json(json.loads(json.dumps(trial.to_json()))) == trial


def test_a_list_may_be_set_from_the_command_line():
    path = "space.method.weights.values"
    changed = plan(WEIGHTS + GRID, f"{path}=[[1, 2, 3, 4], linear]").configurations
    assert changed[0].settings.method.options["weights"] == [1.0, 2.0, 3.0, 4.0]


def test_the_metric_s_exit_is_judged_where_the_exits_are_known():
    exits = "exits: {layers: [2, 4]}\nmetric: {name: accuracy, mode: max, exit: 3}\n"
    points = "search: {name: points, points: [{exits.layers: [1, 2, 4]}, {exits.layers: [1, 3, 4]}]}"
    assert len(plan(WEIGHTS + exits + points).configurations) == 2
    assert tells(refusal(WEIGHTS + exits)[0], "metric.exit: … 2 exits")
    assert "2 exits" in refusal(WEIGHTS + exits + points.replace("1, 3, 4", "3, 4"))[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[[1, 2], [1, 2]]", "f:6:42: space.method.weights.values: "),
        ("[[1, [2]]]", "got [2]"),
        ("[{a: 1}]", "got {'a': 1}"),
        ("[[]]", "got []"),
        ("[[1, .inf]]", "got inf"),
        (
            "[uniform, [-1, 2, 3, 4]]",
            "f:6:52: space.method.weights.values.1: branchynet: weights: ",
        ),
        (
            "[[-1, 2, 3, 4], uniform]",
            "f:6:43: space.method.weights.values.0: branchynet: weights: ",
        ),
    ],
)
def test_refusals_stand_at_their_place(values: str, expected: str):
    text = f"space:\n  method.weights: {{dist: choice, values: {values}}}\nsearch: {{name: grid}}\n"
    assert expected in "\n".join(refusal(WEIGHTS + text))


def test_a_list_that_is_equal_in_value_but_not_in_kind_is_another_value():
    assert coordinate([1, True, "é", None]) == '[1, true, "é", null]'
    kinds = "space:\n  method.weights: {dist: choice, values: [[1, 1, 1, 1], [1.5, 1, 1, 1]]}\nsearch: {name: grid}\n"
    assert len(plan(WEIGHTS + kinds).configurations) == 2
