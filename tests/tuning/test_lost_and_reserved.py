"""What a sweep that is killed again and again has lost and reserved, against the table of its ledger."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from stand_ins import Sweep, Workers

from greenexp.journal.budget import lost, reserved
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of


@pytest.mark.parametrize("kills", [0, 1, 5])
def test_status_and_ledger_name_the_same_losses(tmp_path: Path, kills: int) -> None:
    sweep = Sweep(tmp_path)
    for _ in range(kills):
        conductor = sweep.open()
        Workers(conductor).play(reports=7)
        conductor.journal.close()  # as if it had been killed
    conductor = sweep.open()
    Workers(conductor).play()
    conductor.close()
    conductor.journal.close()
    state = SweepState(read_events(tmp_path / "journal.jsonl"))
    ledger = tables_of(state).ledger.set_index("axis")["lost"]
    expected = {axis: None if math.isnan(value) else value for axis, value in ledger.items() if axis != "trials"}
    assert lost(state) == expected
    assert bool(lost(state)["epochs"]) is bool(kills)
    assert reserved(state) == {}


def test_running_trials_reserve_what_their_next_report_will_cost(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.spec["budget"] = {"train_flops": 1e12, "epochs": 40, "wall_s": 1e6}
    conductor = sweep.open()
    Workers(conductor).play(reports=5)
    assert len(conductor.live) == 2
    assert reserved(conductor.state) == {"train_flops": 2e9, "epochs": 2.0}
    conductor.journal.close()


def test_a_session_that_broke_off_is_not_finished_though_all_trials_have_ended(tmp_path: Path) -> None:
    """Else nobody would ever evaluate what was chosen on the test set."""
    conductor = Sweep(tmp_path).open()
    Workers(conductor).play()
    assert conductor.state.complete
    assert conductor.close("the disk is full") == "interrupted"
    conductor.journal.close()
