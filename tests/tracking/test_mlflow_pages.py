"""What MLflow's pages show of a sweep: its description, data sets, the chosen model; and what they do not show."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mlflow_contents import Killed, dump, dying, failing
from small_sweeps import Sweep, trial_spec, write_journal
from test_mlflow_tables import assert_same_tables
from told import tells

from greenexp.tracking import follow, names
from greenexp.tracking.foreign import read_runs
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import artifacts_beside, connect, default_uri, prepare, sqlite_file
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep

DATA = {"ab" * 32: {"description": "sentences", "fingerprint": "cd" * 32}}


def ended_journal(folder: Path, *, closed: bool = True, name: str = "smoke") -> str:
    """One trial that finished and was evaluated on test, its model kept, and one that was stopped; data on record."""
    with Sweep(folder, name=name) as sweep:
        one, two = trial_spec(0, 0), trial_spec(1, 0)
        sweep.journal.append("session", number=1, versions={"greenexp": "0.1.0"}, data=DATA)
        sweep.plan(one, two)
        for trial in (one, two):
            sweep.start(trial.trial)
            sweep.report(trial.trial, 1)
        sweep.decide(two.trial, "stop", 1, value=0.1, cutoff=0.2, reason="below the cutoff")
        sweep.report(one.trial, 2, value=0.3, last=True)
        sweep.test(one.trial, 2, 0.25)
        if closed:
            sweep.journal.append("closed", status="finished")
    model = folder / "models" / one.trial
    model.mkdir(parents=True, exist_ok=True)
    (model / "greenexp.json").write_text(json.dumps({"format": 1, "files": {"model.safetensors": "00"}}))
    (model / "model.safetensors").write_bytes(b"weights")
    return one.trial


def runs_of(client: Any, experiment: str) -> dict[str, Any]:
    """Name of the trial, or role of another run -> the run."""
    number = client.get_experiment_by_name(experiment).experiment_id
    found = client.search_runs([number])
    return {run.data.tags.get(names.TRIAL_NAME, run.data.tags[names.KIND]): run for run in found}


def models_of(client: Any, experiment: str) -> list[Any]:
    return list(client.search_logged_models([client.get_experiment_by_name(experiment).experiment_id]))


def test_the_description_says_result_cost_and_what_to_do(uri: str, client: Any, tmp_path: Path) -> None:
    ended_journal(tmp_path)
    sync(tmp_path, uri, "described")
    note = runs_of(client, "described")["sweep"].data.tags[names.NOTE]
    assert tells(note, "dev accuracy … 0.3 … c000 … test accuracy … 0.25")
    assert tells(note, "2: 1 finished, 1 stopped early")
    assert "greenexp dashboard sqlite:///mlflow.db" in note
    assert "greenexp run sweep.yaml" in note


def test_a_running_sweep_is_described_without_numbers(uri: str, client: Any, tmp_path: Path) -> None:
    ended_journal(tmp_path, closed=False)
    sync(tmp_path, uri, "running")
    note = runs_of(client, "running")["sweep"].data.tags[names.NOTE]
    assert tells(note, "running")
    assert "|" not in note
    with Sweep(tmp_path) as sweep:
        sweep.journal.append("closed", status="finished")
    sync(tmp_path, uri, "running")
    assert tells(runs_of(client, "running")["sweep"].data.tags[names.NOTE], "dev accuracy")


def test_a_description_of_the_user_stays(uri: str, client: Any, tmp_path: Path) -> None:
    ended_journal(tmp_path, closed=False)
    experiment = prepare(uri, "noted")
    tracked, tail = TrackedSweep(), JournalTail(tmp_path)
    writer = RunWriter(client, experiment, tracked, folder=tmp_path)
    tracked.take(tail.new_events())
    writer.write_changes(with_sweep=True)
    client.set_tag(runs_of(client, "noted")["sweep"].info.run_id, names.NOTE, "mine")
    with Sweep(tmp_path) as sweep:
        sweep.journal.append("closed", status="finished")
    tracked.take(tail.new_events())
    writer.write_changes(with_sweep=True)  # it last saw its own text there
    sync(tmp_path, uri, "noted")
    assert runs_of(client, "noted")["sweep"].data.tags[names.NOTE] == "mine"


def test_an_experiment_opens_as_one_of_training(uri: str, client: Any) -> None:
    theirs = client.create_experiment("theirs")
    assert prepare(uri, "theirs") == theirs
    prepare(uri, "ours")
    for name in ("theirs", "ours"):
        tags = client.get_experiment_by_name(name).tags
        assert tags[names.EXPERIMENT_KIND] == names.TRAINING
        assert names.TRIAL in json.loads(tags[names.TRIALS_VIEW])["searchFilter"]
    client.set_experiment_tag(theirs, names.EXPERIMENT_KIND, "another")
    prepare(uri, "theirs")
    assert client.get_experiment(theirs).tags[names.EXPERIMENT_KIND] == "another"


def test_a_trial_stopped_early_has_finished_for_mlflow_and_was_stopped_for_greenexp(
    standard: tuple[Path, str],
) -> None:
    folder, uri = standard
    stopped = [
        run for run in runs_of(connect(uri), "standard").values() if run.data.tags.get(names.STATUS) == "stopped"
    ]
    assert [run.info.status for run in stopped] == ["FINISHED"]
    table = read_runs(uri, "metrics.score").runs.set_index("run")
    assert table.loc[stopped[0].info.run_id, "status"] == "KILLED", "no whole training, for who compares runs"
    assert_same_tables(folder, uri)


def test_tags_for_greenexp_alone_are_out_of_sight(standard: tuple[Path, str]) -> None:
    shown = [
        (name, text)
        for run in runs_of(connect(standard[1]), "standard").values()
        for name, text in run.data.tags.items()
        if not name.startswith("mlflow.")
    ]
    assert not [name for name, text in shown if text[:1] in {"[", "{"}]
    assert len({name for name, _ in shown}) < 25


def test_the_end_of_a_trial_is_not_that_of_its_evaluation_on_test(uri: str, client: Any, tmp_path: Path) -> None:
    trial = ended_journal(tmp_path)
    sync(tmp_path, uri, "ends")
    run = runs_of(client, "ends")[trial]
    history = client.get_metric_history(run.info.run_id, "score")
    assert run.info.end_time == max(point.timestamp for point in history)


def with_earlier_names(uri: str) -> int:
    """Give the tags of a record the names that earlier versions gave them; how many."""
    file = sqlite_file(uri)
    assert file is not None
    plain = {present: earlier for earlier, present in names._EARLIER.items()}
    count = 0
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        for (key,) in database.execute("SELECT DISTINCT key FROM tags").fetchall():
            earlier = plain.get(key) or (
                names.EARLIER_JSON + key.removeprefix(names.JSON) if key.startswith(names.JSON) else None
            )
            if earlier is not None:
                count += database.execute("UPDATE tags SET key = ? WHERE key = ?", (earlier, key)).rowcount
    return count


def test_records_of_earlier_versions_are_read_and_moved(uri: str, client: Any, sweep_folder: Path) -> None:
    sync(sweep_folder, uri, "earlier")
    experiment = prepare(uri, "earlier")
    before = dump(client, experiment)
    assert with_earlier_names(uri) > 20
    assert_same_tables(sweep_folder, uri)
    sync(sweep_folder, uri, "earlier")
    assert dump(client, experiment) == before


@pytest.mark.parametrize("number", [5, 20])
def test_killed_while_names_are_moved(number: int, uri: str, client: Any, sweep_folder: Path) -> None:
    sync(sweep_folder, uri, "earlier")
    experiment = prepare(uri, "earlier")
    before = dump(client, experiment)
    with_earlier_names(uri)
    tracked = TrackedSweep()
    tracked.take(JournalTail(sweep_folder).new_events())
    with pytest.raises(Killed):
        RunWriter(dying(client, number, after=number % 3 == 0), experiment, tracked).write_changes(with_sweep=True)
    assert_same_tables(sweep_folder, uri)
    sync(sweep_folder, uri, "earlier")
    assert dump(client, experiment) == before


def test_data_are_data_sets_of_the_sweep_and_its_trials(uri: str, client: Any, tmp_path: Path) -> None:
    trial = ended_journal(tmp_path)
    for _ in range(2):
        sync(tmp_path, uri, "data")
    runs = runs_of(client, "data")
    for name in ("sweep", trial):
        (used,) = runs[name].inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("clauses", ("cd" * 32)[:36])
        assert json.loads(used.dataset.source)["fingerprint"] == "cd" * 32
    assert not runs["configuration"].inputs.dataset_inputs


def expect_model(client: Any, experiment: str, trial: str) -> Any:
    """The one model, whole."""
    runs, (model,) = runs_of(client, experiment), models_of(client, experiment)
    assert (str(model.status), model.name, model.source_run_id) == ("READY", trial, runs[trial].info.run_id)
    assert {metric.key: metric.value for metric in model.metrics} == {
        "dev_accuracy": pytest.approx(0.3), "test_accuracy": 0.25
    }  # fmt: skip
    for name in ("sweep", trial):
        outputs = client.get_run(runs[name].info.run_id).outputs.model_outputs
        assert [one.model_id for one in outputs] == [model.model_id]
    assert {"dev_accuracy", "test_accuracy"} <= set(runs["sweep"].data.metrics)
    place = artifacts_beside(client.tracking_uri)
    assert place is not None
    files = place / "models" / model.model_id / "artifacts"
    assert (files / "data" / "model.safetensors").read_bytes() == b"weights"
    assert "greenexp.inference.python_function" in (files / "MLmodel").read_text()
    return model


def test_the_chosen_model_is_logged_once(uri: str, client: Any, tmp_path: Path) -> None:
    trial = ended_journal(tmp_path)
    for _ in range(2):
        assert sync(tmp_path, uri, "model").remarks == ()
        expect_model(client, "model", trial)


def test_a_damaged_manifest_costs_the_model_and_nothing_else(uri: str, client: Any, tmp_path: Path) -> None:
    trial = ended_journal(tmp_path)
    (tmp_path / "models" / trial / "greenexp.json").write_text("[]")
    (remark,) = sync(tmp_path, uri, "damaged").remarks
    assert tells(remark, f"has no model … {trial} … greenexp.json is damaged")
    assert models_of(client, "damaged") == []
    assert trial in runs_of(client, "damaged")


@pytest.mark.parametrize("case", ["running", "nothing kept"])
def test_no_model_where_none_is_chosen_or_kept(case: str, uri: str, client: Any, tmp_path: Path) -> None:
    trial = ended_journal(tmp_path, closed=case != "running")
    if case == "nothing kept":
        (tmp_path / "models" / trial / "greenexp.json").unlink()
    assert sync(tmp_path, uri, "none").remarks == ()
    assert models_of(client, "none") == []


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("create_logged_model", True),
        ("log_model_artifacts", False),
        ("log_model_artifacts", True),
        ("finalize_logged_model", True),
        ("log_outputs", True),
    ],
)
def test_killed_while_the_model_is_logged(
    call: str, after: bool, uri: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = ended_journal(tmp_path)
    once: list[str] = []

    def fails(_: int, name: str) -> bool:
        if name == call and not once:
            once.append(name)
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(follow, "connect", lambda uri: failing(client, fails, after=after))
        (remark,) = sync(tmp_path, uri, "broken").remarks
    assert tells(remark, "model … the server is away … greenexp sync")
    assert sync(tmp_path, uri, "broken").remarks == ()
    expect_model(client, "broken", trial)


def test_a_copied_record_has_its_model_beside_it(template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(template.read_bytes())
    trial = ended_journal(folder)
    sync(folder)
    folder.rename(tmp_path / "two")
    sync(tmp_path / "two")
    model = expect_model(connect(default_uri(tmp_path / "two")), "smoke", trial)
    assert model.artifact_location == (tmp_path / "two" / "mlartifacts/models" / model.model_id / "artifacts").as_uri()


def test_a_server_without_data_sets_is_left_alone(
    uri: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND, INTERNAL_ERROR

    trial = ended_journal(tmp_path)

    def refuse(code: int) -> Any:
        def call(*_: Any, **__: Any) -> None:
            raise MlflowException("no", error_code=code)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(type(client), "log_inputs", refuse(ENDPOINT_NOT_FOUND))
        sync(tmp_path, uri, "old server")
    assert runs_of(client, "old server")[trial].info.status == "FINISHED"
    with monkeypatch.context() as patch:
        patch.setattr(type(client), "log_inputs", refuse(INTERNAL_ERROR))
        with pytest.raises(Exception, match="no"):
            sync(tmp_path, uri, "broken server")


def test_a_whole_journal_written_twice_is_the_same(uri: str, client: Any, tmp_path: Path) -> None:
    write_journal(tmp_path)
    sync(tmp_path, uri, "twice")
    before = dump(client, prepare(uri, "twice"))
    sync(tmp_path, uri, "twice")
    assert dump(client, prepare(uri, "twice")) == before
