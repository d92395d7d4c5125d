"""A trial that ends before its next rung: nobody waits for it, it keeps its score; a resumed sweep decides alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stand_ins import EPOCHS, Sweep, Workers
from told import tells

from greenexp.analysis.stopping.simulate_curves import recorded_curves, sweep_points
from greenexp.analysis.sweeps.configurations import configuration_states, configuration_table
from greenexp.analysis.sweeps.savings import savings
from greenexp.cli.sweeps.progress import describe
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.tuning.conductor import Conductor

Open = Callable[..., Conductor]

ENDS = {"c005-i0-o0": 2, "c005-i1-o0": 2, "c004-i0-o0": 5, "c001-i1-o0": 3, "c000-i0-o0": 4}
SETTINGS: dict[str, dict[str, Any]] = {
    "fifo": {"name": "fifo"},
    "asha": {"name": "asha", "reduction_factor": 3},
    "sha": {"name": "sha", "reduction_factor": 3, "grace_period": 3},
    "hyperband": {"name": "hyperband", "reduction_factor": 3},
    "seed_racing": {"name": "seed_racing", "reduction_factor": 2},
}


@pytest.fixture
def patient(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """All trials of the stand-in have a patience, of which the workers say when it ends them."""
    import stand_ins

    plain = stand_ins.a_trial

    def with_patience(*place: int) -> Any:
        spec = plain(*place).to_json()
        spec["settings"]["training"]["patience"] = 1
        return type(plain(*place)).from_json(spec)

    monkeypatch.setattr(stand_ins, "a_trial", with_patience)


def ends(state: SweepState) -> dict[str, tuple[str, int]]:
    return {name: (trial.status, trial.epoch) for name, trial in state.trials.items()}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", SETTINGS)
def test_everything_comes_to_its_end(opened: Open, name: str) -> None:
    conductor = opened(scheduler=SETTINGS[name])
    Workers(conductor, ends=ENDS).play()
    assert conductor.close() == "finished"
    found = ends(conductor.state)
    assert {status for status, _ in found.values()} <= {"finished", "stopped"}
    for trial, (status, epochs) in found.items():
        expected = ENDS.get(trial, EPOCHS)
        assert epochs == expected if status == "finished" else epochs < expected
    if name != "seed_racing":  # which gives the later seeds of most configurations up
        assert found["c005-i0-o0"] == found["c005-i1-o0"] == ("finished", 2)
    if name in ("sha", "hyperband"):
        assert "stopped" in {status for status, _ in found.values()}


@pytest.mark.usefixtures("patient")
def test_the_best_configuration_keeps_its_place_at_every_rung(opened: Open) -> None:
    """Of 6 at the rung two go on: the one that ended before it, and one that trains on."""
    conductor = opened(scheduler=SETTINGS["sha"])
    Workers(conductor, ends={"c005-i0-o0": 2, "c005-i1-o0": 2}).play()
    found = ends(conductor.state)
    assert [found[f"c00{number}-i0-o0"] for number in (3, 4, 5)] == [("stopped", 3), ("finished", 9), ("finished", 2)]
    assert not conductor.state.trials["c005-i0-o0"].verdicts, "no verdict falls on a trial that has ended"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("reports", [3, 7, 12, 20, 27, 33])
def test_killed_and_resumed_comes_to_the_same_decisions(opened: Open, name: str, reports: int, tmp_path: Path) -> None:
    whole = Sweep(tmp_path / "whole")
    whole.folder.mkdir()
    straight = whole.open(scheduler=SETTINGS[name], workers=1)
    Workers(straight, ends=ENDS).play()
    straight.journal.close()
    first = opened(scheduler=SETTINGS[name], workers=1)
    Workers(first, ends=ENDS).play(reports)
    second = opened(scheduler=SETTINGS[name], workers=1)
    Workers(second, ends=ENDS).play()
    assert second.close() == "finished"
    if name != "asha":  # whose decisions follow the order of arrival, and a broken-off trial begins again
        assert ends(second.state) == ends(straight.state)


@pytest.mark.usefixtures("patient")
def test_a_decision_the_driver_died_before_writing_is_written_on_resuming(opened: Open, tmp_path: Path) -> None:
    """The last report of c005 brings the verdicts on all that wait; the journal is cut after that report."""
    conductor = opened(scheduler=SETTINGS["sha"], configurations=3, seeds=1, workers=3)
    Workers(conductor, ends={"c002-i0-o0": 4}, fail={}).play()
    conductor.journal.close()
    (journal,) = tmp_path.glob("*.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '"kind":"decision"' in line and '"stop"' in line)
    journal.write_text("".join(lines[:first]))
    resumed = opened(scheduler=SETTINGS["sha"], configurations=3, seeds=1, workers=3)
    Workers(resumed, ends={"c002-i0-o0": 4}).play()
    assert resumed.close() == "finished"
    assert ends(resumed.state) == ends(conductor.state)


@pytest.fixture
def ended(opened: Open, patient: None) -> SweepState:
    """Under fifo, with three configurations of which seeds ended early."""
    conductor = opened(scheduler={"name": "fifo"})
    Workers(conductor, ends=ENDS).play()
    conductor.close()
    return conductor.state


def test_status_is_finished_with_a_reason(ended: SweepState) -> None:
    trial = ended.trials["c005-i0-o0"]
    assert trial.status == "finished"
    assert tells(trial.reason, "patience … epoch 2 of 9 … 1")
    assert ended.trials["c003-i0-o0"].reason == ""
    rows = tables_of(ended).trials.set_index("trial")
    assert rows.loc["c005-i0-o0", "reason"] == trial.reason
    assert (rows.loc["c005-i0-o0", "epochs"], rows.loc["c005-i0-o0", "max_epochs"]) == (2, 9)


def test_progress_says_why_it_ended(sweep: Sweep, ended: SweepState, tmp_path: Path) -> None:
    from greenexp.journal.file import NAME, read_events

    lines = [describe(event, ended) or "" for event in read_events(tmp_path / NAME)]
    (line,) = (line for line in lines if line.startswith("c005-i0-o0  epoch 2/9"))
    assert tells(line, "patience … epoch 2 of 9")


def test_its_score_is_final_and_its_configuration_can_be_chosen(ended: SweepState) -> None:
    tables = tables_of(ended)
    assert {state for state, _ in configuration_states(tables.trials).values()} == {"complete"}
    table = configuration_table(tables).set_index("configuration")
    expected = tables.trials.groupby("configuration")["score"].mean()
    assert table.loc["c005", "score_mean"] == pytest.approx(expected["c005"])
    assert ended.chosen[0].spec.configuration == table.index[0]


def test_what_it_did_not_train_is_not_counted_as_saved(ended: SweepState) -> None:
    found = savings(tables_of(ended))
    assert (found.stopped, found.saved_epochs, found.open_epochs) == (0, 0, 0)
    assert (found.ended, found.ended_epochs) == (5, sum(EPOCHS - epoch for epoch in ENDS.values()))
    assert found.planned_epochs == found.run_epochs + found.ended_epochs


def test_its_curve_goes_on_flat_for_a_simulation(ended: SweepState) -> None:
    tables = tables_of(ended)
    curves = recorded_curves(sweep_points(tables), EPOCHS)
    means = tables.trials.groupby("configuration")["score"].mean()
    assert curves.final.tolist() == pytest.approx(means[list(curves.units)].tolist())
    place = curves.units.index("c005")
    assert curves.scores[place].tolist() == [curves.scores[place][0]] + [curves.final[place]] * (EPOCHS - 1)
    assert curves.costs[place].tolist() == [2.0] + [4.0] * (EPOCHS - 1)
