"""`when` in a sweep file: what is planned, and what is wrong with it at its place."""

from __future__ import annotations

import pytest

from greenexp.errors import SweepFileError
from greenexp.plan import make_plan
from greenexp.spec import dump_resolved, load_sweep

SWEEP = """
name: methods
task: {name: clauses}
space:
  method.name: {dist: choice, values: [leebert, dbt, branchynet]}
  method.temperature: {dist: loguniform, low: 1, high: 8, when: {method.name: [leebert, dbt]}}
  method.weights: {dist: choice, values: [uniform, linear], when: {method.name: branchynet}}
  training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}
search: {name: random, samples: 12}
"""
OWN = {
    "leebert": {"method.temperature"},
    "dbt": {"method.temperature"},
    "branchynet": {"method.weights"},
}


def problems(space: str, search: str = "{name: random, samples: 12}") -> dict[str, int]:
    """Path -> line of each problem of a sweep with this space, whose first line is line 4."""
    text = f"name: wrong\ntask: {{name: clauses}}\nspace:\n{space}\nsearch: {search}\n"
    with pytest.raises(SweepFileError) as error:
        make_plan(load_sweep(text))
    return {problem.path: problem.line or 0 for problem in error.value.problems}


def test_a_configuration_has_only_the_fields_whose_conditions_hold() -> None:
    plan = make_plan(load_sweep(SWEEP))
    names = set()
    for configuration in plan.configurations:
        name = str(configuration.searched["method.name"])
        names.add(name)
        assert set(configuration.searched) == {"method.name", "training.learning_rate", *OWN[name]}
        assert configuration.settings.method.name == name
    assert names == set(OWN)


def test_conditions_survive_the_resolved_file_and_a_space_without_them_has_no_new_field() -> None:
    spec = load_sweep(SWEEP).checked()
    assert load_sweep(dump_resolved(spec)).checked().space == spec.space
    assert "when" not in spec.model_dump(mode="json")["space"]["training.learning_rate"]


def test_a_condition_is_set_from_the_command_line() -> None:
    changed = load_sweep(SWEEP, ["space.method.temperature.when.method.name=dbt"]).checked()
    assert changed.space["method.temperature"].when == {"method.name": ("dbt",)}


def test_every_wrong_condition_is_named_at_its_place() -> None:
    found = problems(
        """  method.name: {dist: choice, values: [leebert, dbt]}
  training.batch_size: {dist: choice, values: [8, 16], when: {method.nam: leebert}}
  training.warmup: {dist: uniform, low: 0, high: 0.3, when: {method.name: [pabee]}}
  training.clip_norm: {dist: uniform, low: 1, high: 2, when: {training.warmup: 0.1}}
  training.epochs: {dist: choice, values: [1, 2], when: {training.weight_decay: 0.1}}
  training.weight_decay: {dist: choice, values: [0.0, 0.1], when: {training.epochs: 1}}
  method.teachers: {dist: choice, values: [all, last], when: {method.name: leebert, exits.layers: all}}
  exits.layers: {dist: choice, values: [all, [1, 2]], when: {method.name: dbt}}"""
    )
    assert found == {
        "space.training.batch_size.when.method.nam": 5,
        "space.training.warmup.when.method.name": 6,
        "space.training.clip_norm.when.training.warmup": 7,
        "space.training.epochs.when": 8,
        "space.training.weight_decay.when": 9,
        "space.method.teachers.when": 10,
    }


def test_a_value_is_checked_in_the_plug_ins_that_may_get_it() -> None:
    found = problems(
        """  method.name: {dist: choice, values: [leebert, dbt, branchynet]}
  method.annealing: {dist: uniform, low: 1, high: -3, when: {method.name: dbt}}
  method.teachers: {dist: choice, values: [all, none], when: {method.name: leebert}}
  method.weights: {dist: choice, values: [uniform], when: {method.name: [branchynet, dbt]}}"""
    )
    assert found == {"space.method.annealing": 5, "space.method.teachers.values.1": 6, "space.method.weights": 7}


@pytest.mark.parametrize("search", ["{name: random, samples: 1}", "{name: tpe, samples: 20}"])
def test_a_field_of_some_of_the_chosen_plug_ins_needs_a_condition(search: str) -> None:
    space = """  method.name: {dist: choice, values: [leebert, dbt, branchynet]}
  method.temperature: {dist: loguniform, low: 1, high: 8}"""
    text = f"name: wrong\ntask: {{name: clauses}}\nspace:\n{space}\nsearch: {search}\n"
    with pytest.raises(SweepFileError) as error:
        make_plan(load_sweep(text))
    (problem,) = error.value.problems
    assert (problem.path, problem.line) == ("space.method.temperature", 5)
    assert "when: {method.name: [leebert, dbt]}" in problem.message


def test_an_open_plan_may_come_to_every_branch() -> None:
    plan = make_plan(load_sweep(SWEEP, ["search={name: tpe, samples: 20}"]))
    assert {settings.method.name for settings in plan.possible_settings()} == set(OWN)
    for number, (name, own) in enumerate(OWN.items()):
        values = {"method.name": name, "training.learning_rate": 1e-3}
        values |= {path: "uniform" if path.endswith("weights") else 2.0 for path in own}
        trials = plan.trials_of_proposal(number + 1, values)
        assert all(dict(trial.searched) == values for trial in trials)


def test_epochs_under_a_condition_may_also_be_those_of_the_file() -> None:
    text = SWEEP.replace(
        "search: {name: random, samples: 12}",
        "  training.epochs: {dist: choice, values: [5, 7], when: {method.name: dbt}}\n"
        "search: {name: tpe, samples: 20}\ntraining: {epochs: 9}",
    )
    assert make_plan(load_sweep(text)).max_epochs == 9


PER = SWEEP.replace("samples: 12", "samples: 4, per: method.name")


def test_a_plan_with_a_search_for_each_method_has_equal_numbers_of_each() -> None:
    plan = make_plan(load_sweep(PER))
    names = [configuration.settings.method.name for configuration in plan.configurations]
    assert names == ["leebert", "dbt", "branchynet"] * 4
    assert load_sweep(dump_resolved(plan.spec)).checked().search == plan.spec.search


def test_an_open_plan_knows_how_many_configurations_all_searches_propose() -> None:
    plan = make_plan(load_sweep(PER, ["search={name: tpe, samples: 20, per: method.name}"]))
    assert plan.size == 60
    assert not plan.complete


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ("{name: random, samples: 4, per: method.nam}", "search.per"),
        ("{name: random, samples: 4, per: training.learning_rate}", "search.per"),
        ("{name: random, samples: 4, per: 3}", "search.per"),
        ("{name: points, points: [{method.name: dbt}], per: method.name}", "search.per"),
        ("{name: random, samples: 4, pre: method.name}", "search.pre"),
    ],
)
def test_a_wrong_field_of_searches_is_named_at_its_place(search: str, line: str) -> None:
    with pytest.raises(SweepFileError) as error:
        make_plan(load_sweep(SWEEP.replace("{name: random, samples: 12}", search)))
    assert line in {problem.path for problem in error.value.problems}
