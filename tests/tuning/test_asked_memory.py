"""The memory that workers ask Ray for."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from made_settings import made_settings
from stand_ins import a_record

from greenexp.journal.state import SweepState, TrialState
from greenexp.plan import Plan, Price, make_plan
from greenexp.plan.prices import UNKNOWN
from greenexp.records.foreseen import Foreseen
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.spec import load_sweep
from greenexp.tuning.fitting import asked_memory

SPEC = TrialSpec("c000-i0-o0", "c000", 0, made_settings(), {}, TrialSeeds(0, 0))
NODES = [
    {"Alive": True, "Resources": {"memory": 4e9}},
    {"Alive": True, "Resources": {"CPU": 1.0}},
    {"Alive": False, "Resources": {"memory": 9e9}},
]


def planned(memory_b: float | None, *overrides: str) -> Plan:
    plan = make_plan(load_sweep("name: made\ntask: {name: clauses}\n", overrides))
    price = Price({}, UNKNOWN, (), exact=True, foreseen=Foreseen(memory_b=memory_b))
    return dataclasses.replace(plan, price=price)


def begun(*peaks_b: float | None, **computed_with: str) -> SweepState:
    """A sweep whose trial took this much, report by report."""
    state = SweepState()
    trial = state.trials[SPEC.trial] = TrialState(SPEC)
    for epoch, peak_b in enumerate(peaks_b, start=1):
        record = a_record(SPEC, epoch)
        costs = dataclasses.replace(record.costs, peak_memory_b=peak_b)
        trial.records[epoch] = dataclasses.replace(record, costs=costs, computed_with=computed_with)
    return state


@pytest.mark.parametrize(
    ("plan", "state", "expected"),
    [
        (planned(None), begun(), None),
        (planned(5e8), begun(), 500_000_000),
        (planned(5e8), begun(2e8, None, 7e8), 700_000_000),
        (planned(None), begun(6e8), 600_000_000),
        (planned(None), begun(6e8, micro_batch_size="4"), None),
        (planned(8e9), begun(), 4_000_000_000),
        (planned(5e8, "resources.gpus_per_trial=1"), begun(2e8), None),
        (dataclasses.replace(planned(5e8), price=None), begun(), None),
    ],
    ids=["unknown", "before", "more now", "now", "divided", "more than a node has", "on a GPU", "not priced"],
)
def test_the_largest_peak_on_record(plan: Plan, state: SweepState, expected: int | None) -> None:
    nodes: Any = NODES
    assert asked_memory(plan, state, nodes) == expected


def test_a_cluster_that_counts_no_memory() -> None:
    assert asked_memory(planned(5e8), begun(), [{"Alive": True, "Resources": {"CPU": 4.0}}]) is None
