"""Totals of costs: whole or not known; nothing run is nothing measured, and still within every limit."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_events import begin, clock_of, epoch_record, report, trial_spec

from greenexp.journal.budget import limit_reached, used
from greenexp.journal.file import Journal
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.records.axes import AXES
from greenexp.records.epoch import Costs
from greenexp.records.tables import SUMMED_COSTS
from greenexp.records.totals import CostTotals

COUNTED = {"trials": 0.0, "epochs": 0.0, "wall_s": 0.0}
COSTS = st.builds(Costs, st.floats(0, 1e6), *[st.none() | st.floats(0, 1e12)] * 7)


@given(st.lists(COSTS, max_size=6), st.lists(st.dictionaries(st.sampled_from(SUMMED_COSTS[1:]), st.floats(0, 1e9))))
def test_a_total_is_the_sum_of_measured_parts_or_not_known(epochs: list[Costs], lost: list[dict[str, float]]) -> None:
    totals = CostTotals.of(epochs, lost)
    for name in SUMMED_COSTS:
        parts = [getattr(costs, name) for costs in epochs] + [part[name] for part in lost if name in part]
        if not parts:
            assert (totals.total(name), totals.so_far(name)) == (None, 0.0)
        elif None in parts:
            assert totals.total(name) is totals.so_far(name) is None
        else:
            assert totals.total(name) == totals.so_far(name) == pytest.approx(math.fsum(parts))


def test_where_nothing_has_run_nothing_is_measured_and_no_limit_is_reached() -> None:
    state = SweepState()
    assert used(state) == dict.fromkeys(AXES) | COUNTED
    assert limit_reached(state, dict.fromkeys(AXES, 1.0)) is None


def test_status_and_ledger_name_the_same_totals(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl", clock_of(1000.0)) as journal:
        begin(journal, trial_spec())
        planned = SweepState(journal.events)
        assert used(planned) == dict.fromkeys(AXES) | COUNTED
        for epoch in (1, 2, 3):
            report(journal, "c000-i0-o0", epoch_record(epoch, wall_s=0.1))
        state = SweepState(journal.events)
    ledger = tables_of(planned).ledger.set_index("axis")["used"]
    assert {axis: None if math.isnan(value) else value for axis, value in ledger.items()} == used(planned)
    ledger = tables_of(state).ledger.set_index("axis")["used"]
    assert {axis: None if math.isnan(value) else value for axis, value in ledger.items()} == used(state)
    assert used(state)["train_flops"] == 3e9
