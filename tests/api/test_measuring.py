"""Energy measured once more, alone: over a sweep of one trial, on a machine with a made-up counter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from powercap import running_package
from told import tells

from greenexp.analysis.sweeps.energy import measured_energy
from greenexp.api import measuring
from greenexp.api.measuring import MeasuringOptions, measure
from greenexp.api.planning import plan_of, read_document
from greenexp.errors import InputError, UnknownNameError
from greenexp.inference.bench import points_energy
from greenexp.inference.bench.energy import AnswerWindow, Energy
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.journal.tables import read_tables
from greenexp.meters import activity
from greenexp.meters.rapl import POWERCAP_VARIABLE
from greenexp.plan.data import prepare_data
from greenexp.spec import resolved
from greenexp.training import TrialRun

SWEEP: dict[str, Any] = {
    "name": "tiny",
    "task": {"name": "clauses", "train": 64, "dev": 48, "test": 20},
    "backbone": {"name": "bert", "layers": 2, "hidden": 16, "heads": 2},
    "training": {"epochs": 2, "batch_size": 16, "max_length": 32},
    "resources": {"workers": 1},
}
QUICK = MeasuringOptions(repeats=2, idle_s=0.2, window_s=0.3, examples=4, busy=True)


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished sweep of one trial, whose model was not kept."""
    monkeypatch.setattr(measuring, "_WARM_UP_S", 0.2)
    folder = tmp_path / "out"
    folder.mkdir()
    plan = plan_of(read_document(SWEEP))
    (trial,) = plan.trials
    with Journal(folder / NAME) as journal:
        journal.append(
            "sweep", format=FORMAT, name="tiny", fingerprint=plan.fingerprint, spec=dict(resolved(plan.spec))
        )
        journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1)
        journal.append("started", trial=trial.trial, attempt=1, after=0)
        with TrialRun(trial, prepare_data(trial.settings), logits_folder=folder / "logits") as run:
            for record in run:
                journal.append("report", trial=trial.trial, attempt=1, record=record.to_json())
        journal.append("closed", status="finished")
    return folder


@pytest.fixture
def power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with running_package(tmp_path / "powercap") as root:
        monkeypatch.setenv(POWERCAP_VARIABLE, str(root))
        yield


@pytest.mark.usefixtures("power")
def test_training_and_answers_are_measured_and_recorded(sweep: Path) -> None:
    before = (sweep / NAME).read_bytes()
    told: list[str] = []
    findings = measure(sweep, options=QUICK, tell=told.append)
    assert (sweep / NAME).read_bytes().startswith(before)
    measured = read_tables(sweep).measurements
    training = measured[measured["what"] == "training"]
    assert list(training["repeat"]) == [1, 2, 3], "two repeats, and one more for the model that was not kept"
    assert training["reproduced"].all(), "the same seeds gave other scores"
    assert (training["energy_j"] > 0).all()
    assert (training["examples"] == 128).all()
    assert (measured["idle_w"] > 0).all()
    row = findings["measured"].iloc[0]
    assert (row["what"], row["repeats"]) == ("training", 3)
    assert row["energy_j"] == pytest.approx(training["energy_j"].mean())
    assert any("its model was not kept" in line for line in told)
    again = measure(sweep, trials="c000-i0-o0", options=QUICK)
    assert again["measured"].iloc[0]["repeats"] == 5


@pytest.mark.usefixtures("power")
def test_of_answers_it_is_recorded_how_many_there_were(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def energy(folder: Path, policies: dict[str, Any], *_: Any, **__: Any) -> Energy:
        windows = {name: AnswerWindow(0.75, 321) for name in policies}
        return Energy(dict.fromkeys(policies, 0.5), windows, 12.0)

    monkeypatch.setattr(points_energy, "energy_of_points", energy)
    for _ in range(2):
        measure(sweep, options=QUICK)
    measured = read_tables(sweep).measurements
    answers = measured[measured["what"] == "inference"]
    assert set(answers["wall_s"]) == {0.75}
    assert set(answers["examples"]) == {321}
    assert set(answers["repeat"]) == {1, 2}
    assert set(answers.groupby("point")["repeat"].agg(list).map(tuple)) == {(1, 2)}


@pytest.mark.usefixtures("power")
def test_a_busy_machine_is_refused(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = iter(range(1000))
    monkeypatch.setattr(activity.CpuActivity, "_total", lambda _: float(next(total)))
    with pytest.raises(InputError) as caught:
        measure(sweep, options=MeasuringOptions(repeats=1, idle_s=0.2))
    assert tells(str(caught.value), "other programs … of a core … --busy")
    assert read_tables(sweep).measurements.empty


def test_without_a_counter_there_is_nothing_to_measure(sweep: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(POWERCAP_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot be measured on this machine"):
        measure(sweep)
    assert measured_energy(read_tables(sweep)).refusal


@pytest.mark.usefixtures("power")
def test_an_unknown_trial_is_named(sweep: Path) -> None:
    with pytest.raises(UnknownNameError, match="c009"):
        measure(sweep, trials=["c009"], options=QUICK)
