"""Reports within epochs and states saved between them, in the journal: counts, limits, tables, what is lost."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journal_events import SPEC, begin, clock_of, epoch_record, report, trial_spec

from greenexp.journal.budget import limit_reached, room_for, used
from greenexp.journal.events import Event
from greenexp.journal.file import Journal, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.tables import COUNT_EPOCHS

A, B = "c000-i0-o0", "c000-i1-o0"
QUARTERS = {**SPEC, "training": {"epochs": 3, "reports_per_epoch": 4}, "budget": {}}


def part(epoch: float, **changes: Any) -> EpochRecord:
    return epoch_record(epoch, step=round(40 * epoch), **changes)  # type: ignore[arg-type]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl", clock_of(100.0)) as opened:
        begin(opened, trial_spec(A, epochs=3), trial_spec(B, 1, epochs=3), spec=QUARTERS)
        yield opened


def state_of(journal: Journal) -> SweepState:
    replayed = SweepState(read_events(journal.path))
    assert replayed.trials == SweepState(journal.events).trials
    return replayed


@pytest.mark.parametrize("epoch", [1, 0.25, 2 / 3, 7 / 3])
def test_epochs_come_back_from_a_line_as_they_were(epoch: float) -> None:
    line = Event(0, 0.0, "report", {"record": part(epoch).to_json()}).to_line()
    again = EpochRecord.from_json(json.loads(line)["record"])
    assert (again.epoch, type(again.epoch)) == (epoch, type(epoch))


def test_epochs_are_counted_in_parts(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    for epoch in (0.25, 0.5, 0.75, 1, 1.25):
        report(journal, A, part(epoch))
    state = state_of(journal)
    assert (state.epochs_run, state.trials[A].epoch) == (1.25, 1.25)
    assert used(state)["epochs"] == 1.25
    tables = tables_of(state)
    ledger = tables.ledger.set_index("axis")
    assert ledger.loc["epochs", "used"] == 1.25
    assert tables.epochs["epoch"].tolist() == [0.25, 0.5, 0.75, 1, 1.25]
    assert tables.trials["epochs"].tolist() == [1.25, 0]
    assert tables.trials["best_epoch"].tolist()[0] == 0.25


@pytest.mark.parametrize(("per_epoch", "types"), [(1, ("int64", "Int64")), (4, ("float64", "Float64"))])
def test_a_column_of_epochs_has_one_type_in_all_tables(tmp_path: Path, per_epoch: int, types: tuple[str, str]) -> None:
    """Whatever values are in it: tables are joined by it."""
    spec = {**QUARTERS, "training": {"epochs": 3, "reports_per_epoch": per_epoch}}
    with Journal(tmp_path / "journal.jsonl", clock_of(1.0)) as journal:
        begin(journal, trial_spec(A, epochs=3), spec=spec)
        report(journal, A, part(1))
        tables = tables_of(SweepState(journal.events))
    found = {str(frame[column].dtype) for frame in tables.frames.values() for column in COUNT_EPOCHS & set(frame)}
    assert found == set(types)


def test_a_repeated_part_is_lost_in_part(journal: Journal) -> None:
    for attempt, epoch in ((1, 0.25), (1, 0.5), (2, 0.5), (2, 0.75)):
        report(journal, A, part(epoch), attempt)
    ledger = tables_of(state_of(journal)).ledger.set_index("axis")
    assert (ledger.loc["epochs", "used"], ledger.loc["epochs", "lost"]) == (1.0, 0.25)


def test_a_limit_has_room_for_the_next_report_and_not_for_an_epoch(journal: Journal) -> None:
    limits = {"epochs": 2.5}
    for number in range(1, 10):
        report(journal, A, part(number / 4 if number % 4 else number // 4))
    state = state_of(journal)
    assert state.epochs_run == 2.25
    assert room_for(state, state.trials[A], [], limits) is None
    assert room_for(state, state.trials[A], [state.trials[B]], limits) is not None
    assert limit_reached(state, limits) is None
    report(journal, A, part(2.5))
    assert limit_reached(state_of(journal), limits) is not None


def test_thirds_of_epochs_reach_a_limit_exactly(tmp_path: Path) -> None:
    spec = {**SPEC, "training": {"epochs": 9, "reports_per_epoch": 3}}
    with Journal(tmp_path / "journal.jsonl", clock_of(1.0)) as journal:
        begin(journal, trial_spec(A), spec=spec)
        for number in range(1, 12):
            state = SweepState(journal.events)
            assert room_for(state, state.trials[A], [], {"epochs": 4.0}) is None
            report(journal, A, part(number / 3 if number % 3 else number // 3))
        state = SweepState(journal.events)
        assert room_for(state, state.trials[A], [], {"epochs": 4.0}) is None
        assert limit_reached(state, {"epochs": 4.0}) is None
        report(journal, A, part(4))
        assert limit_reached(SweepState(journal.events), {"epochs": 4.0}) is not None


# ----------------------------------------------------------------------------------------- states saved between reports


COSTS = Costs(wall_s=3.0, cpu_s=2.0, train_flops=5e8)


def save(journal: Journal, epoch: float, attempt: int = 1) -> None:
    costs, folder = dataclasses.asdict(COSTS), f"checkpoints/{A}/step-{round(40 * epoch)}"
    journal.append("saved", trial=A, attempt=attempt, epoch=epoch, checkpoint=folder, costs=costs)


def test_a_saved_state_is_where_the_next_attempt_goes_on(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    save(journal, 0.1)
    trial = state_of(journal).trials[A]
    assert (trial.status, trial.checkpoint) == ("running", (0.1, f"checkpoints/{A}/step-4"))
    journal.append("ended", trial=A, attempt=1, status="interrupted", reason="died", lost_wall_s=1.0, lost=None)
    journal.append("started", trial=A, attempt=2, after=0.1)
    report(journal, A, part(0.25, wall_s=4.0), attempt=2)
    trial = state_of(journal).trials[A]
    assert (trial.unreported, trial.lost_wall_s, trial.lost) == (None, 1.0, {})


def test_a_driver_that_dies_loses_what_came_after_the_saved_state(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)  # 104
    save(journal, 0.1)  # 105
    journal.append("started", trial=B, attempt=1, after=0)  # 106
    journal.append("session", number=2)
    trial = state_of(journal).trials[A]
    assert (trial.status, trial.lost_wall_s) == ("interrupted", 1.0)


@pytest.mark.parametrize("end", ["begun anew", "failed for good", "stopped while it waits"])
def test_what_was_spent_until_a_state_that_nobody_goes_on_from_is_lost(journal: Journal, end: str) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    save(journal, 0.1)
    if end == "begun anew":
        none = dataclasses.asdict(Costs(wall_s=0.0))
        journal.append("ended", trial=A, attempt=1, status="interrupted", reason="", lost_wall_s=0.0, lost=none)
        journal.append("started", trial=A, attempt=2, after=0)
    elif end == "failed for good":
        journal.append("ended", trial=A, attempt=1, status="failed", reason="", lost_wall_s=0.0, lost=None)
    else:
        journal.append("ended", trial=A, attempt=1, status="interrupted", reason="", lost_wall_s=0.0, lost=None)
        verdict = {"action": "stop", "rung": 0.25, "value": None, "cutoff": None, "bracket": 0, "reason": ""}
        journal.append("decision", trial=A, **verdict)
    state = state_of(journal)
    trial = state.trials[A]
    assert (trial.unreported, trial.lost_wall_s) == (None, 3.0)
    assert (trial.lost["cpu_s"], trial.lost["train_flops"]) == (2.0, 5e8)
    assert state.spent.so_far("train_flops") == 5e8


@pytest.mark.parametrize("end", ["reports again", "stopped while it waits", "stopped while it is being paused"])
def test_what_was_spent_until_a_pause_is_reported_or_lost(journal: Journal, end: str) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, part(0.25))
    verdict = {"action": "stop", "rung": 0.25, "value": None, "cutoff": None, "bracket": 0, "reason": ""}
    if end == "stopped while it is being paused":
        journal.append("decision", trial=A, **verdict)
    costs = dataclasses.asdict(COSTS)
    journal.append("paused", trial=A, attempt=1, epoch=0.25, checkpoint=f"checkpoints/{A}/epoch-0.25", costs=costs)
    if end == "reports again":
        assert state_of(journal).trials[A].unreported == COSTS
        journal.append("started", trial=A, attempt=1, after=0.25)
        report(journal, A, part(0.5))
    elif end == "stopped while it waits":
        journal.append("decision", trial=A, **verdict)
    trial = state_of(journal).trials[A]
    assert (trial.unreported, trial.lost_wall_s) == (None, 0.0 if end == "reports again" else COSTS.wall_s)


def test_what_a_failed_worker_could_still_tell_is_not_counted_twice(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    save(journal, 0.1)
    told = dataclasses.asdict(Costs(wall_s=5.0, train_flops=7e8))
    journal.append("ended", trial=A, attempt=1, status="failed", reason="nan", lost_wall_s=5.0, lost=told)
    trial = state_of(journal).trials[A]
    assert (trial.lost_wall_s, trial.lost) == (5.0, {"train_flops": 7e8})


def test_a_running_trial_that_is_stopped_still_reports_what_it_spent(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    save(journal, 0.1)
    verdict = {"action": "stop", "rung": 0.25, "value": None, "cutoff": None, "bracket": 0, "reason": ""}
    journal.append("decision", trial=A, **verdict)
    report(journal, A, part(0.25, wall_s=4.0))
    trial = state_of(journal).trials[A]
    assert (trial.status, trial.lost_wall_s, trial.lost) == ("stopped", 0.0, {})
