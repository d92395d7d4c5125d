"""Tables and the budget ledger from a journal agree with one another."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from journal_events import SPEC, begin, clock_of, epoch_record, report, trial_spec

from greenexp.errors import JournalError, StateError
from greenexp.journal.budget import limit_reached, room_for, used
from greenexp.journal.file import Journal, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.axes import AXES
from greenexp.records.decision import Action, Verdict
from greenexp.records.epoch import Costs
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import COSTS, SCHEMA, SweepTables

A, B, C = "c000-i0-o0", "c000-i1-o0", "c001-i0-o0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A: crashes after epoch 2 and repeats it; B: stopped at epoch 1; C: never started."""
    with Journal(tmp_path / "journal.jsonl", clock_of(1000.0)) as journal:
        specs = (trial_spec(A, 0, rate=0.1, order="x"), trial_spec(B, 1, rate=0.1), trial_spec(C, 2, rate=0.2))
        begin(journal, *reversed(specs))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1, 0.5, dev_logits="aa"))
        report(journal, A, epoch_record(2, 0.4, best_score=0.5, wall_s=2.0))
        journal.append("started", trial=B, attempt=1, after=0)
        report(journal, B, epoch_record(1, 0.2))
        journal.append("decision", **Verdict(B, Action.STOP, 1, 0.2, 0.5, reason="below").to_json())
        journal.append("ended", trial=A, status="interrupted", reason="worker died", lost_wall_s=7.5)
        journal.append("started", trial=A, attempt=2, after=1)
        report(journal, A, epoch_record(2, 0.6, dev_logits="bb"), attempt=2)
    return tmp_path


@pytest.fixture
def tables(folder: Path) -> SweepTables:
    return read_tables(folder)


def test_columns_and_types_are_the_schema(tables: SweepTables) -> None:
    for name, columns in SCHEMA.items():
        frame = tables.frames[name]
        assert list(frame.columns)[: len(columns)] == list(columns)
        for column, kind in columns.items():
            assert frame[column].dtype == pd.Series([], dtype=kind).dtype, f"{name}.{column}"


def test_an_empty_sweep_has_the_same_columns(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal)
    empty = read_tables(tmp_path)
    assert all(list(empty.frames[name].columns) == list(columns) for name, columns in SCHEMA.items())
    assert len(empty.ledger) == len(AXES)


def test_trials_in_the_order_of_the_plan_with_totals_over_attempts(tables: SweepTables) -> None:
    trials = tables.trials.set_index("trial")
    assert list(trials.index) == [A, B, C]
    assert list(trials["status"]) == ["running", "stopped", "planned"]
    assert list(trials["wall_s"].fillna(-1)) == [4.0, 1.0, -1]
    assert list(trials["lost_wall_s"]) == [7.5, 0.0, 0.0]
    assert list(trials["attempts"]) == [2, 1, 0]
    assert list(trials["epochs"]) == [2, 1, 0]
    assert list(trials["score"].fillna(-1)) == [0.6, 0.2, -1]
    assert list(trials["best_epoch"].fillna(-1)) == [2, 1, -1]
    assert list(trials["stopped_at"].fillna(-1)) == [-1, 1, -1]
    assert list(trials["dev_logits"]) == ["bb", "", ""]
    assert tables.parameters == ["training.rate", "training.order"]
    assert trials.loc[B, "params.training.rate"] == 0.1
    assert pd.isna(trials.loc[B, "params.training.order"])


def test_repeated_epochs_are_marked_and_kept(tables: SweepTables) -> None:
    rows = tables.epochs[["trial", "attempt", "epoch", "repeated", "time_s"]]
    assert rows.to_numpy().tolist() == [
        [A, 1, 1, False, 6.0], [A, 1, 2, True, 7.0], [B, 1, 1, False, 9.0], [A, 2, 2, False, 13.0],
    ]  # fmt: skip


def test_exits_and_operating_points(tables: SweepTables) -> None:
    assert len(tables.exits) == 2 * len(tables.epochs)
    assert tables.exits["dev_accuracy"].isna().sum() == len(tables.epochs)
    points = tables.operating_points[tables.operating_points["trial"] == A]
    assert points["threshold"].tolist() == [1.0, 2.0]
    assert points["speed_up"].tolist() == [2.0, 1.0]
    assert points["score"].fillna(-1).tolist() == [0.6, -1]
    assert tables.remarks.replay == ()


def test_parameters_are_those_on_record_and_missing_in_a_journal_of_an_earlier_version(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl", clock_of(1000.0)) as journal:
        begin(journal, trial_spec(A), trial_spec(B, 1), trial_spec(C, 2))
        for trial, parameters in ((A, 4_000_001), (B, None)):
            journal.append("started", trial=trial, attempt=1, after=0)
            written = epoch_record(1, parameters=parameters).to_json()
            if parameters is None:
                del written["parameters"]
            journal.append("report", trial=trial, attempt=1, record=written)
    assert read_tables(tmp_path).trials["parameters"].tolist() == [4_000_001, pd.NA, pd.NA]


@pytest.mark.parametrize(("recorded", "speed_ups"), [(6, [3.0, 1.5]), (None, [2.0, 1.0])])
def test_speed_up_is_counted_from_the_whole_encoder_if_its_depth_is_on_record(
    tmp_path: Path, recorded: int | None, speed_ups: list[float]
) -> None:
    """Exits sit on layers 2 and 4 of 6; a journal of an earlier version does not say that there are 6."""
    with Journal(tmp_path / "journal.jsonl", clock_of(1000.0)) as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        written = epoch_record(1, encoder_layers=recorded).to_json()
        if recorded is None:
            del written["encoder_layers"]
        journal.append("report", trial=A, attempt=1, record=written)
    tables = read_tables(tmp_path)
    assert tables.operating_points["speed_up"].tolist() == speed_ups
    remarks = tables.remarks.replay
    assert tuple(remark for remark in remarks if "last trained exit" in remark) == (remarks if recorded is None else ())
    assert bool(remarks) == (recorded is None)


def test_the_ledger_adds_up_what_the_tables_hold(tables: SweepTables, folder: Path) -> None:
    ledger = tables.ledger.set_index("axis")
    for axis in AXES:
        if axis in COSTS and axis != "wall_s":
            expected = tables.epochs[axis].sum(min_count=1) if tables.epochs[axis].notna().all() else np.nan
            np.testing.assert_equal(ledger.loc[axis, "used"], expected, err_msg=axis)
            np.testing.assert_equal(ledger.loc[axis, "used"], tables.trials[axis].sum(min_count=1), err_msg=axis)
    assert ledger.loc["epochs", ["used", "limit", "lost"]].tolist() == [4.0, 10.0, 1.0]
    assert ledger.loc["trials", "used"] == 2.0
    assert ledger.loc["wall_s", ["used", "limit", "lost"]].tolist() == [tables.history.elapsed_s, 60.0, 7.5 + 2.0]
    assert math.isnan(ledger.loc["gpu_s", "used"]), "not measured is never 0"


def test_the_running_ledger_is_the_table_ledger(folder: Path, tables: SweepTables) -> None:
    from greenexp.journal.file import read_events

    state = SweepState(read_events(folder / "journal.jsonl"))
    running, ledger = used(state), tables.ledger.set_index("axis")["used"]
    assert set(running) == set(AXES)
    for axis, value in running.items():
        np.testing.assert_allclose(np.nan if value is None else value, ledger[axis], rtol=1e-15, err_msg=axis)


def test_the_reason_for_what_was_not_measured(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1, not_measured={"gpu_s": "no GPU", "energy_j": "never shown"}))
    reasons = read_tables(tmp_path).ledger.set_index("axis")["reason"]
    assert (reasons["gpu_s"], reasons["energy_j"], reasons["epochs"]) == ("no GPU", "", "")


def test_a_total_with_a_missing_part_is_not_measured(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1, costs=Costs(1.0, energy_j=5.0)))
        report(journal, A, epoch_record(2, costs=Costs(1.0)))
        state = SweepState(journal.events)
    tables = read_tables(tmp_path)
    assert used(state)["energy_j"] is None
    assert tables.trials["energy_j"].isna().all()
    assert tables.ledger.set_index("axis").loc["energy_j"].isna()["used"]


@pytest.fixture
def state(folder: Path) -> SweepState:
    from greenexp.journal.file import read_events

    return SweepState(read_events(folder / "journal.jsonl"))


@pytest.mark.parametrize(
    ("limits", "axis"),
    [
        ({"epochs": 4.0}, "epochs"), ({"epochs": 5.0}, None), ({"train_flops": 4e9}, "train_flops"),
        ({"gpu_s": 0.0}, "gpu_s"), ({"trials": 1.0}, None), ({}, None), ({"wall_s": 12.0, "epochs": 1.0}, "epochs"),
    ],
)  # fmt: skip
def test_limits(state: SweepState, limits: dict[str, float], axis: str | None) -> None:
    reached = limit_reached(state, limits)
    assert (reached.axis if reached else None) == axis
    if reached:
        assert reached.limit == limits[reached.axis]
        assert (reached.used is None) == (reached.axis == "gpu_s")
        assert reached.used is None or reached.used >= reached.limit


@pytest.mark.parametrize(
    ("limits", "running", "axis"),
    [
        ({"epochs": 5.0}, [], None), ({"epochs": 5.0}, [B], "epochs"), ({"epochs": 4.5}, [], "epochs"),
        ({"train_flops": 5e9}, [], None), ({"train_flops": 5e9}, [B], "train_flops"), ({"gpu_s": 0.0}, [B], "gpu_s"),
        ({"wall_s": 14.0}, [B, B, B], None), ({"trials": 0.0}, [B], None),
    ],
)  # fmt: skip
def test_room_for_one_more_epoch(state: SweepState, limits: dict[str, float], running: list[str], axis: Any) -> None:
    """A has used 4 epochs of 1e9 FLOP with B; each one running is reserved for. 12 s have gone by."""
    reached = room_for(state, state.trials[A], [state.trials[name] for name in running], limits)
    assert (reached.axis if reached else None) == axis


def test_facts(tables: SweepTables) -> None:
    assert tables.spec == SweepSpec.from_json(SPEC)
    assert (tables.history.name, tables.history.complete, tables.history.began) == ("s", False, 1000.0)
    assert tables.history.sessions == ({"number": 1},)


def test_no_journal_no_tables(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        read_tables(tmp_path)


@pytest.fixture
def broken(tables: SweepTables) -> dict[str, Any]:
    return {field.name: getattr(tables, field.name) for field in dataclasses.fields(tables)}


def test_tables_are_checked(broken: dict[str, Any]) -> None:
    with pytest.raises(StateError, match=r"'epochs'.*score, best_score"):
        SweepTables(**{**broken, "epochs": broken["epochs"].drop(columns=["best_score", "score"])})
    with pytest.raises(StateError, match="unknown status lazy"):
        SweepTables(**{**broken, "trials": broken["trials"].assign(status="lazy")})


def test_what_a_failed_epoch_cost_is_used_and_lost(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A), trial_spec(B))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1))
        lost = {**dataclasses.asdict(Costs(wall_s=4.0, train_flops=5e9, cpu_s=3.0))}
        journal.append("ended", trial=A, attempt=1, status="failed", reason="nan", lost_wall_s=4.0, lost=lost)
    tables = read_tables(tmp_path)
    reported = tables.epochs["train_flops"].sum()
    ledger = tables.ledger.set_index("axis")
    assert ledger.loc["train_flops", ["used", "lost"]].tolist() == [reported + 5e9, 5e9]
    assert tables.trials["train_flops"].iloc[0] == reported + 5e9
    assert tables.trials["lost_wall_s"].iloc[0] == 4.0
    state = SweepState(read_events(tmp_path / "journal.jsonl"))
    assert used(state)["train_flops"] == reported + 5e9, "a limit must see what failed work cost"


def test_what_a_dead_worker_used_is_said_to_be_unknown(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1))
        journal.append("ended", trial=A, attempt=1, status="interrupted", reason="died", lost_wall_s=4.0, lost=None)
    ledger = read_tables(tmp_path).ledger.set_index("axis")
    assert math.isnan(ledger.loc["train_flops", "lost"])
    assert "without 1 epoch(s)" in ledger.loc["train_flops", "reason"]
    assert ledger.loc["wall_s", "lost"] == 4.0


def test_what_a_killed_driver_s_last_trial_used_is_unknown_too(tmp_path: Path) -> None:
    """Its report was the last event: how long it went on is on no record."""
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1))
        journal.append("session", number=2)
    ledger = read_tables(tmp_path).ledger.set_index("axis")
    assert math.isnan(ledger.loc["train_flops", "lost"])
    assert "without 1 epoch(s)" in ledger.loc["train_flops", "reason"]


def test_where_all_failed_the_ledger_has_what_they_told_and_the_drivers_reasons(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("session", number=2, measured={"energy_j": [False, "no meter"], "cpu_s": [True, "clock"]})
        journal.append("started", trial=A, attempt=1, after=0)
        lost = dataclasses.asdict(Costs(wall_s=4.0, cpu_s=2.5, train_flops=7.0))
        journal.append("ended", trial=A, attempt=1, status="failed", reason="nan", lost_wall_s=4.0, lost=lost)
    ledger = read_tables(tmp_path).ledger.set_index("axis")
    assert ledger.loc[["cpu_s", "train_flops"], "lost"].tolist() == [2.5, 7.0]
    assert ledger.loc["energy_j", "reason"] == "no meter"
    assert math.isnan(ledger.loc["energy_j", "lost"])


def test_numbers_that_nothing_can_have_measured_are_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        with pytest.raises(JournalError, match=r"journal\.jsonl:5: .*train_flops"):
            report(journal, A, epoch_record(1, costs=Costs(wall_s=1.0, train_flops=1e308)))


def test_a_missing_part_of_the_energy_is_said(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        costs = Costs(wall_s=1.0, energy_j=600.0)
        report(journal, A, epoch_record(1, costs=costs, not_measured={"energy_j.cpu_package": "shared by two trials"}))
    row = read_tables(tmp_path).ledger.set_index("axis").loc["energy_j"]
    assert row["used"] == 600.0
    assert row["reason"] == "without cpu_package: shared by two trials"
