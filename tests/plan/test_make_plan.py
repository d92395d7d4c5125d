"""From a file to trials, or to all that is wrong with it."""

from __future__ import annotations

import sys
from subprocess import run
from typing import Any

import pytest
from sweep_plugins import HEAD, PLUGINS
from told import tells

from greenexp.errors import SweepFileError
from greenexp.plan import Plan, editor_schema, make_plan
from greenexp.spec import dump_resolved, load_sweep

RANDOM = """space:
  training.learning_rate: {dist: loguniform, low: 1e-5, high: 1e-3}
search: {name: random, samples: 3}
"""


def plan(text: str, *overrides: str) -> Plan:
    return make_plan(load_sweep(HEAD + text, overrides, source="f"), PLUGINS)


def refusal(text: str, head: str = HEAD) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        make_plan(load_sweep(head + text, source="f"), PLUGINS)
    return str(caught.value).split("\n")


class TestTrials:
    def test_all_seeds_of_a_configuration_stand_together(self) -> None:
        trials = plan(RANDOM + "seeds: {initialisation: 2, order: 2}").trials
        assert [trial.trial for trial in trials[:5]] == [
            "c000-i0-o0",
            "c000-i0-o1",
            "c000-i1-o0",
            "c000-i1-o1",
            "c001-i0-o0",
        ]
        assert [trial.index for trial in trials] == list(range(12))
        assert trials[0].searched == trials[3].searched != trials[4].searched
        assert trials[1].seeds == trials[5].seeds
        assert len({trial.fingerprint for trial in trials}) == 12

    def test_rounds_train_every_configuration_before_the_next_seed(self) -> None:
        seeds = "seeds: {initialisation: 2, order: 2, rounds: true}"
        rounds, usual = plan(RANDOM + seeds).trials, plan(RANDOM + seeds.replace("true", "false")).trials
        assert [trial.trial for trial in rounds[:4]] == ["c000-i0-o0", "c001-i0-o0", "c002-i0-o0", "c000-i0-o1"]
        assert [trial.index for trial in rounds] == list(range(12))
        assert {trial.trial: trial.fingerprint for trial in rounds} == {t.trial: t.fingerprint for t in usual}

    def test_settings_are_complete_and_plain(self) -> None:
        settings = plan("").trials[0].settings.to_json()
        assert list(settings) == ["task", "backbone", "exits", "method", "training", "metric"]
        assert settings["backbone"] == {"name": "tower", "hidden": 64, "layers": 4, "heads": 2, "dropout": 0.1}
        assert settings["exits"] == {"layers": "all", "head": {"name": "flat", "bias": True}}
        assert settings["method"] == {"name": "joint", "weights": "uniform"}
        assert settings["training"]["epochs"] == 3

    def test_a_method_brings_what_the_file_leaves_out(self) -> None:
        def settings(*overrides: str) -> dict[str, Any]:
            head = HEAD.replace("exits: {head: {name: flat}}\n", "").replace("joint", "published")
            document = load_sweep(head.replace("tower", "spire"), overrides, source="f")
            return make_plan(document, PLUGINS).trials[0].settings.to_json()

        assert settings()["exits"]["head"] == {"name": "flat", "bias": False}
        assert settings("backbone.heads=4")["backbone"]["heads"] == 4
        assert settings()["backbone"]["pooling"] == "mean"
        assert settings("backbone.pooling=cls")["backbone"]["pooling"] == "cls"
        assert settings("exits.head={name: flat, bias: true}")["exits"]["head"] == {"name": "flat", "bias": True}
        assert settings("exits.head={name: flat}")["exits"]["head"] == {"name": "flat", "bias": True}
        assert settings("exits.head={name: round}")["exits"]["head"] == {"name": "round"}

    def test_the_searched_value_is_in_the_settings(self) -> None:
        for trial in plan(RANDOM).trials:
            (value,) = trial.searched.values()
            assert trial.settings.training.learning_rate == value

    def test_plug_in_fields_can_be_searched(self) -> None:
        text = """space:
  backbone.hidden: {dist: choice, values: [32, 64]}
  exits.head.bias: {dist: choice, values: [true, false]}
search: {name: grid}"""
        trials = plan(text).trials
        assert [(t.settings.backbone.options["hidden"], t.settings.model.head.options["bias"]) for t in trials] == [
            (32, True),
            (32, False),
            (64, True),
            (64, False),
        ]

    def test_the_plug_in_itself_can_be_searched(self) -> None:
        text = "space: {method.name: {dist: choice, values: [joint]}}\nsearch: {name: grid}"
        assert plan(text).trials[0].settings.method.to_json() == {"name": "joint", "weights": "uniform"}

    def test_points_may_set_different_fields(self) -> None:
        text = "search: {name: points, points: [{method.weights: linear}, {training.batch_size: 8}]}"
        assert [dict(trial.searched) for trial in plan(text).trials] == [
            {"method.weights": "linear", "training.batch_size": 32},
            {"method.weights": "uniform", "training.batch_size": 8},
        ]

    def test_a_point_may_choose_another_plug_in_with_its_fields(self) -> None:
        text = "search: {name: points, points: [{method.name: staged, method.stages: 2}, {method.weights: linear}]}"
        trials = plan(text).trials
        assert trials[0].settings.method.to_json() == {"name": "staged", "stages": 2}
        assert trials[1].settings.method.to_json() == {"name": "joint", "weights": "linear"}

    def test_a_required_field_may_be_left_to_the_search(self) -> None:
        text = "space: {backbone.hidden: {dist: choice, values: [64]}}\nsearch: {name: grid}"
        document = load_sweep(HEAD.replace(", hidden: 64", "") + text)
        assert make_plan(document, PLUGINS).trials[0].settings.backbone.options["hidden"] == 64


class TestIdentity:
    def test_equal_files_give_equal_plans(self) -> None:
        assert plan(RANDOM) == plan(RANDOM)
        assert plan(RANDOM).fingerprint == plan(RANDOM).fingerprint

    def test_the_resolved_file_gives_the_same_plan(self) -> None:
        first = plan(RANDOM + "scheduler: {name: asha, reduction_factor: 2}\nseeds: {initialisation: 2}")
        again = make_plan(load_sweep(dump_resolved(first.spec)), PLUGINS)
        assert again == first
        assert again.fingerprint == first.fingerprint

    def test_more_samples_and_seeds_keep_the_earlier_trials(self) -> None:
        small = plan(RANDOM)
        large = plan(RANDOM, "search.samples=5", "seeds.initialisation=2")
        kept = {trial.trial: trial.fingerprint for trial in large.trials}
        assert all(kept[trial.trial] == trial.fingerprint for trial in small.trials)
        assert large.fingerprint != small.fingerprint

    def test_a_default_written_out_changes_nothing(self) -> None:
        assert plan("", "backbone.dropout=0.1").fingerprint == plan("").fingerprint
        assert plan("", "training.learning_rate=2e-5").trials == plan("").trials

    @pytest.mark.parametrize(
        "override", ["resources.workers=4", "budget.wall_s=2h", "accounting.pue=1.5", "replay.policies=[]"]
    )
    def test_how_it_is_run_is_not_what_is_run(self, override: str) -> None:
        assert plan("", override).fingerprint == plan("").fingerprint

    @pytest.mark.parametrize(
        "override", ["task.train=5", "training.epochs=4", "seeds.root=1", "metric.mode=min", "method.weights=linear"]
    )
    def test_what_is_run_is(self, override: str) -> None:
        assert plan("", override).fingerprint != plan("").fingerprint

    def test_more_than_a_thousand_configurations_keep_their_names(self) -> None:
        names = [configuration.name for configuration in plan(RANDOM, "search.samples=1001").configurations]
        assert names[:2] == ["c000", "c001"]
        assert names[-1] == "c1000"


class TestProblems:
    def test_spec_and_plug_in_problems_come_together(self) -> None:
        head = """name: x
task: {name: row, train: 5}
backbone: {name: tower, hidden: sixty, layrs: 3}
exits: {head: {name: flat, bias: 1}}
method: {name: joint, weights: [1, a]}
training: {epochs: 0}
scheduler: {name: asha, reduction: 3}
"""
        expected = [
            "f:2:14: task.name: … 'rows'",
            "f:3:33: backbone.hidden: … got 'sixty'",
            "f:3:40: backbone.layrs: tower: … 'layers'",
            "f:4:34: exits.head.bias: … got 1",
            "f:5:32: method.weights: … got 'a'",
            "f:6:20: training.epochs: … got 0",
            "f:7:25: scheduler.reduction: asha: … 'reduction_factor'",
        ]
        for problem, facts in zip(refusal("", head), expected, strict=True):
            assert tells(problem, facts)

    def test_overrides_are_blamed_for_themselves(self) -> None:
        with pytest.raises(SweepFileError, match=r"^--set: backbone.layrs: tower: .*'layrs'"):
            plan("", "backbone.layrs=3")

    def test_a_missing_field(self) -> None:
        head = HEAD.replace(", hidden: 64", "")
        assert refusal("", head) == ["f:3:1: backbone.hidden: is missing"]

    def test_every_value_that_could_be_drawn_is_tried(self) -> None:
        text = """search: {name: random, samples: 1}
space:
  backbone.dropout: {dist: uniform, low: 0, high: 1}
  backbone.layers: {dist: choice, values: [4, four, null]}
  backbone.hiden: {dist: int, low: 1, high: 4}
  task.train: {dist: int, low: 0, high: 4}
"""
        expected = [
            "f:8:51: space.backbone.dropout.high: … got 1.0",
            "f:9:47: space.backbone.layers.values.1: … got 'four'",
            "f:10:3: space.backbone.hiden: tower: … 'hidden'",
            "f:11:32: space.task.train.low: … got 0",
        ]
        for problem, facts in zip(refusal(text), expected, strict=True):
            assert tells(problem, facts)

    def test_a_combination_that_does_not_fit(self) -> None:
        text = "search: {name: grid}\nspace: {backbone.heads: {dist: choice, values: [2, 3]}}"
        (problem,) = refusal(text)
        assert tells(problem, "f:7:52: space.backbone.heads.values.1: … hidden (64) … heads (3)")

    def test_a_listed_point_that_does_not_fit(self) -> None:
        text = "search: {name: points, points: [{task.train: 5}, {task.train: 0}, {method.name: staged}]}"
        first, second = refusal(text)
        assert tells(first, "f:6:63: search.points.1.task.train: … got 0 … task.train=0")
        assert tells(second, "f:6:81: search.points.2.method.name: … method.stages … method.name=staged")

    def test_exits_on_layers_that_do_not_exist(self) -> None:
        text = HEAD.replace("exits: {", "exits: {layers: [2, 5], ")
        (problem,) = refusal("", text)
        assert tells(problem, "f:4:17: exits.layers: … 4 … got [2, 5]")

    def test_a_metric_of_an_exit_that_does_not_exist(self) -> None:
        (problem,) = refusal("metric: {exit: 5}")
        assert tells(problem, "f:6:16: metric.exit: … 4 exits … got 5")

    def test_micro_batches_larger_than_a_searched_batch(self) -> None:
        text = """training: {micro_batch_size: 16}
search: {name: grid}
space: {training.batch_size: {dist: choice, values: [16, 8]}}"""
        (problem,) = refusal(text)
        assert tells(problem, "micro_batch_size (16) … batch_size (8)")
        assert problem.startswith("f:8:")

    def test_a_scheduler_that_cannot_act(self) -> None:
        (problem,) = refusal(RANDOM + "scheduler: {name: asha, grace_period: 3}")
        assert problem.startswith("f:9:1: scheduler:")

    def test_epochs_are_not_searched_under_a_scheduler_that_compares_at_equal_epochs(self) -> None:
        space = "search: {name: random, samples: 4}\nspace: {training.epochs: {dist: int, low: 1, high: 2}}\n"
        (problem,) = refusal(space + "scheduler: {name: sha}")
        assert problem.startswith("f:7:26: space.training.epochs: ")
        assert "equal epochs" in problem
        points = "search: {name: points, points: [{training.epochs: 2}]}\nscheduler: {name: asha}"
        assert any("search.points.0.training.epochs" in problem for problem in refusal(points))
        assert plan(space)

    def test_a_plug_in_that_cannot_be_imported(self) -> None:
        class Broken(dict[str, type]):
            def __getitem__(self, name: str) -> type:
                raise ImportError("no module named x")

        plugins = {**PLUGINS, "task": Broken(rows=int)}
        with pytest.raises(SweepFileError, match=r"task.name: 'rows'.*no module named x"):
            make_plan(load_sweep(HEAD), plugins)

    def test_a_plug_in_that_refuses_by_itself(self) -> None:
        head = HEAD.replace("name: joint", "name: joint, weights: []")
        assert refusal("", head) == ["f:5:9: method: joint: at least one weight"]


class TestReportsWithinEpochs:
    def test_they_cannot_be_searched(self) -> None:
        path = "training.reports_per_epoch"
        (problem,) = refusal(f"search: {{name: grid}}\nspace: {{{path}: {{dist: choice, values: [1, 2]}}}}")
        assert f"space.{path}" in problem
        (problem,) = refusal(f"search: {{name: points, points: [{{{path}: 2}}]}}")
        assert f"search.points.0.{path}" in problem

    def test_rungs_within_an_epoch_need_them(self) -> None:
        scheduler = "scheduler: {name: asha, grace_period: 0.25, reduction_factor: 2}\n"
        (problem,) = refusal(RANDOM + scheduler)
        assert "scheduler" in problem
        assert "reports_per_epoch to at least 4" in problem
        made = plan(RANDOM + scheduler + "training: {reports_per_epoch: 4}")
        assert made.new_scheduler().bracket_plan()[0].rungs[0].epoch == 0.25

    def test_a_scheduler_that_counts_from_nothing(self) -> None:
        (problem,) = refusal(RANDOM + "scheduler: {name: asha, grace_period: 0}")
        assert "scheduler.grace_period" in problem


class TestRepeated:
    def test_a_grid_with_two_names_for_one_point_is_refused(self) -> None:
        text = "search: {name: grid}\nspace: {training.warmup: {dist: choice, values: [1, 1.0]}}"
        (problem,) = refusal(text)
        assert tells(problem, "c001 … c000 (training.warmup=1.0)")

    def test_listed_points_are_refused_at_the_second(self) -> None:
        text = "search: {name: points, points: [{training.warmup: 0.1}, {training.epochs: 3}]}"
        (problem,) = refusal(text)
        assert tells(problem, "f:6:57: search.points.1: … c001 … c000")

    def test_random_draws_are_kept_and_noted(self) -> None:
        text = "search: {name: random, samples: 5}\nspace: {training.batch_size: {dist: choice, values: [8, 16]}}"
        repeated = plan(text)
        assert len(repeated.configurations) == 5
        assert len(repeated.notes) == 3
        assert "twice" in repeated.notes[0]


def test_the_scheduler_sees_the_groups() -> None:
    asha = plan(RANDOM + "scheduler: {name: asha, reduction_factor: 2}\nseeds: {initialisation: 2}")
    assert asha.groups["c001"] == ("c001-i0-o0", "c001-i1-o0")
    assert asha.new_scheduler().expected_epochs.full == 18


def test_the_editor_schema_knows_the_plug_ins() -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(editor_schema(PLUGINS))
    data = dict(load_sweep(HEAD).data)
    assert list(validator.iter_errors(data)) == []
    wrong = data | {"task": {"name": "rows", "trian": 3}, "method": {"name": "joynt"}, "backbone": {"name": "tower"}}
    found = {error.json_path for error in validator.iter_errors(wrong)}
    assert found >= {"$.task", "$.method.name"}


def test_planning_a_file_imports_nothing_heavy() -> None:
    code = (
        "import sys, greenexp.plan, greenexp.spec;"
        "sys.exit(' '.join(sorted({'torch', 'ray', 'mlflow', 'transformers'} & set(sys.modules))) or 0)"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
