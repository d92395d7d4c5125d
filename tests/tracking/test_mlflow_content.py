"""What is seen in MLflow: the tree, names, statuses, series."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings
from mlflow_contents import doubled_steps, dump
from small_sweeps import BEGAN, SPEC, Sweep, record, ticking, trial_spec

from greenexp.records.tables import SUMMED_COSTS
from greenexp.tracking import names
from greenexp.tracking.content import report_points
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep


@pytest.fixture(scope="module")
def contents(standard: tuple[Path, str]) -> dict[Any, Any]:
    client = connect(standard[1])
    return dump(client, client.get_experiment_by_name("standard").experiment_id)


SWEEP = ("sweep", "")


def test_the_tree_is_sweep_configuration_trial(contents: dict[Any, Any]) -> None:
    parents = {key: run["tags"].get(names.PARENT) for key, run in contents.items()}
    assert parents[SWEEP] is None
    assert parents["configuration", "c000"] == str(SWEEP)
    assert parents["trial", "c000-i1-o0"] == str(("configuration", "c000"))
    assert ("trial", "c002-i1-o0") not in contents, "a trial that never started has no run"
    assert len(contents) == 1 + 3 + 5


def test_names_are_for_people(contents: dict[Any, Any]) -> None:
    assert contents[SWEEP]["name"] == "smoke"
    assert contents["configuration", "c000"]["name"] == "c000 learning_rate=0.000333 weights=uniform"
    assert contents["trial", "c000-i1-o0"]["name"].startswith("c000-i1-o0 learning_rate=0.000333")


def test_statuses(contents: dict[Any, Any]) -> None:
    status = {key[1]: (run["status"], run["tags"].get(names.STATUS)) for key, run in contents.items()}
    assert status == {
        "": ("FINISHED", "limit"),
        "c000": ("KILLED", None),
        "c000-i0-o0": ("KILLED", "interrupted"),  # its driver died while it ran
        "c000-i1-o0": ("FINISHED", "stopped"),
        "c001": ("FAILED", None),
        "c001-i0-o0": ("FINISHED", "finished"),
        "c001-i1-o0": ("FAILED", "failed"),
        "c002": ("KILLED", None),
        "c002-i0-o0": ("KILLED", "interrupted"),
    }
    assert contents["trial", "c001-i1-o0"]["tags"][names.REASON] == "loss became nan\nat step 7"
    assert contents["trial", "c000-i1-o0"]["tags"][names.REASON] == "below the cutoff of rung 1"


def test_the_run_of_the_sweep_has_its_price(contents: dict[Any, Any]) -> None:
    """All trials and attempts; what some report has no measurement of is left out."""
    price = {
        name.removeprefix(names.PRICE): float(value)
        for name, value in contents[SWEEP]["tags"].items()
        if name.startswith(names.PRICE)
    }
    assert price["trials"] == 5
    assert price["examples_seen"] == 22_000
    assert price["train_flops"] > 0
    assert set(price) < {"trials", "examples_seen", *SUMMED_COSTS}, "some cost was not measured in each report"


def test_each_series_has_each_step_once(contents: dict[Any, Any]) -> None:
    assert doubled_steps(contents) == []


def test_repeated_epochs_are_logged_apart_under_their_attempt(contents: dict[Any, Any]) -> None:
    metrics = contents["trial", "c001-i0-o0"]["metrics"]
    assert [(step, value) for step, _, value in metrics["attempt"]] == [(1, 1.0), (2, 1.0), (3, 2.0)]
    assert [(step, value) for step, _, value in metrics["attempt_2/attempt"]] == [(1, 2.0), (2, 2.0)]
    assert [step for step, _, _ in metrics["exit_3/dev_accuracy"]] == [1, 2, 3]
    assert [step for step, _, _ in metrics["attempt_2/exit_3/dev_accuracy"]] == [1, 2]


def test_costs_of_the_epoch_and_totals_over_all_attempts(contents: dict[Any, Any]) -> None:
    metrics = contents["trial", "c001-i0-o0"]["metrics"]
    wall = 1.1 / 3
    assert [value for _, _, value in metrics["wall_s"]] == [wall] * 3
    assert metrics["total_wall_s"][-1][2] == pytest.approx(5 * wall)
    assert metrics["attempt_2/total_wall_s"][0][2] == pytest.approx(3 * wall)
    assert "peak_memory_b" in metrics
    assert "total_peak_memory_b" not in metrics


def test_what_was_not_measured_is_not_logged(contents: dict[Any, Any]) -> None:
    metrics = contents["trial", "c001-i0-o0"]["metrics"]
    assert "energy_j" not in metrics
    assert "total_energy_j" not in metrics
    assert "exit_1/dev_f1" not in metrics
    assert "exit_2/dev_f1" in metrics


def test_a_total_ends_where_a_part_is_missing(tmp_path: Path) -> None:
    trial = trial_spec(0, 0)
    tracked = TrackedSweep()
    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        for epoch, cpu_s in enumerate((1.0, None, 1.0), start=1):
            costs = {**record(1).to_json()["costs"], "cpu_s": cpu_s}
            body = {**record(epoch).to_json(), "costs": costs}
            sweep.journal.append("report", trial=trial.trial, attempt=1, record=body)
    tracked.take(JournalTail(tmp_path).new_events())
    points = [p for report in report_points(tracked, tracked.state.trials[trial.trial]) for p in report]
    assert [p.step for p in points if p.name == "total_cpu_s"] == [1]
    assert [p.step for p in points if p.name == "total_wall_s"] == [1, 2, 3]


def test_rungs_show_what_was_compared(contents: dict[Any, Any]) -> None:
    assert contents["trial", "c000-i1-o0"]["metrics"][names.RUNG_CUTOFF][0][::2] == (1, 0.2)
    assert contents["trial", "c000-i0-o0"]["metrics"][names.RUNG_VALUE][0][::2] == (1, 1 / 3)


def test_times_are_the_journals(contents: dict[Any, Any]) -> None:
    run = contents[SWEEP]
    assert run["start"] == round((BEGAN + 0.734521) * 1000)
    assert run["end"] > run["start"]
    trial = contents["trial", "c000-i0-o0"]
    assert all(run["start"] < time < run["end"] for _, time, _ in trial["metrics"]["train_loss"])


def test_parameters_of_sweep_configuration_and_trial(contents: dict[Any, Any]) -> None:
    assert contents[SWEEP]["params"]["space.training.learning_rate.dist"] == "loguniform"
    assert contents[SWEEP]["params"]["training.micro_batch_size"] == "null"
    assert contents["configuration", "c001"]["params"] == {
        "training.learning_rate": "0.00025", "method.weights": "uniform"
    }  # fmt: skip
    params = contents["trial", "c001-i1-o0"]["params"]
    assert params["training.learning_rate"] == "0.00025"
    assert params["method.weights"] == "linear"
    assert params["task.columns"] == '["a", "b"]'
    assert params["seeds.initialisation"] == "12"


def test_the_sweep_file_and_the_environment_are_kept(standard: tuple[Path, str]) -> None:
    client = connect(standard[1])
    experiment = client.get_experiment_by_name("standard")
    run = client.search_runs([experiment.experiment_id], "tags.`greenexp.kind` = 'sweep'")[0]
    assert run.data.tags[f"{names.SESSION}versions.torch"] == "2.13.0"
    text = Path(client.download_artifacts(run.info.run_id, names.SWEEP_FILE)).read_text(encoding="utf-8")
    assert "note: é中" in text


def test_a_parameter_that_changes_is_kept_as_a_tag(uri: str, client: Any, tmp_path: Path) -> None:
    """MLflow refuses a parameter's second value, and with it the whole batch."""
    tracked = TrackedSweep()
    level = RunWriter(client, prepare(uri, "changed"), tracked)
    with Sweep(tmp_path) as sweep:
        tail = JournalTail(tmp_path)
        sweep.session()
        sweep.plan(trial_spec(0, 0))
        sweep.start("c000-i0-o0")
        tracked.take(tail.new_events())
        level.write_changes(with_sweep=True)
        sweep.plan(trial_spec(0, 0, epochs=27))
        tracked.take(tail.new_events())
        level.write_changes(with_sweep=True)
    run = dump(client, prepare(uri, "changed"))["trial", "c000-i0-o0"]
    assert run["params"]["training.epochs"] == "9"
    assert run["tags"]["greenexp.changed.training.epochs"] == "27"


def test_a_price_goes_when_a_part_of_it_is_missing(uri: str, client: Any, tmp_path: Path) -> None:
    """A sum that stayed from before would look like a total."""
    tracked = TrackedSweep()
    level = RunWriter(client, prepare(uri, "priced"), tracked)
    with Sweep(tmp_path) as sweep:
        tail = JournalTail(tmp_path)
        sweep.session()
        sweep.plan(trial_spec(0, 0))
        sweep.start("c000-i0-o0")
        found = []
        for epoch, cpu_s in ((1, 1.0), (2, None)):
            body = record(epoch).to_json()
            body["costs"]["cpu_s"] = cpu_s
            sweep.journal.append("report", trial="c000-i0-o0", attempt=1, record=body)
            tracked.take(tail.new_events())
            level.write_changes(with_sweep=True)
            found.append(dump(client, prepare(uri, "priced"))[SWEEP]["tags"].get("greenexp.price.cpu_s"))
    assert found == ["1", None]


def test_a_resumed_sweep_runs_again(uri: str, client: Any, sweep_folder: Path) -> None:
    sync(sweep_folder, uri, "resumed")
    with Sweep(sweep_folder, ticking(BEGAN + 1000)) as sweep:
        sweep.session(3)
        sweep.start("c002-i0-o0", attempt=3)
    sync(sweep_folder, uri, "resumed")
    contents = dump(client, prepare(uri, "resumed"))
    assert [contents[key]["status"] for key in (SWEEP, ("configuration", "c002"), ("trial", "c002-i0-o0"))] == [
        "RUNNING", "RUNNING", "RUNNING"
    ]  # fmt: skip


def test_long_and_strange_settings_and_reasons(uri: str, client: Any, tmp_path: Path) -> None:
    text = "é" * 7000
    strange = {"name": "clauses", "notes": text, "strange": {"a/b:c[0]": 1, "..": 2, "n" * 400: 3}}
    with Sweep(tmp_path, task=strange) as sweep:
        trial = trial_spec(0, 0)
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        sweep.report(trial.trial, 1)
        sweep.journal.append("ended", trial=trial.trial, status="failed", reason=text * 2, lost_wall_s=0.0)
    sync(tmp_path, uri, "long")
    contents = dump(client, prepare(uri, "long"))
    params = contents[SWEEP]["params"]
    assert params["task.strange.a_b_c_0_"] == "1"
    assert len(params["task.notes"]) == names.MAX_PARAM
    assert params["task.notes"].endswith("[cut: 7000 characters]")
    assert len(contents["trial", trial.trial]["tags"][names.REASON]) == names.MAX_TAG


def test_many_exits_and_parameters_stay_within_a_batch(uri: str, client: Any, tmp_path: Path) -> None:
    with Sweep(tmp_path) as sweep:
        extra = {f"extra_{number}": number for number in range(250)}
        trial = trial_spec(0, 0)
        trial = dataclasses.replace(trial, settings=made_settings(method={"name": "branchynet", **extra}))
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        sweep.report(trial.trial, 1, exits=300)
    sync(tmp_path, uri, "many")
    run = dump(client, prepare(uri, "many"))["trial", trial.trial]
    assert len(run["params"]) > 250
    assert len(run["metrics"]) > 1000


def test_a_metric_that_is_not_finite_is_left_out() -> None:
    """SQL has no infinity: MLflow would store 1.8e308."""
    found = names.record_metrics(record(1, train_loss=float("inf"), score=float("nan")))
    assert "train_loss" not in found
    assert "score" not in found


def test_the_spec_survives(uri: str, client: Any, contents: dict[Any, Any]) -> None:
    from greenexp.tracking.texts import from_parts

    assert from_parts(names.SPEC, contents[SWEEP]["tags"]) == SPEC
