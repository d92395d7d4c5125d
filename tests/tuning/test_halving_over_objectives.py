"""Sweeps under a scheduler that compares several objectives: conducted, killed, resumed, reported and refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import stand_ins
from growing_sweeps import a_plan, session
from stand_ins import EPOCHS

from greenexp.analysis.sweeps.front_places import front_places
from greenexp.errors import InputError, SweepFileError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.decision import Action
from greenexp.records.epoch import EpochRecord
from greenexp.records.objectives import costs_so_far
from greenexp.records.trial import TrialSpec
from greenexp.report.sections import early_stopping
from greenexp.spec import resolved
from greenexp.tuning.opening import open_sweep

RANDOM = "search={name: random, samples: 8}"
HALVING = "scheduler={name: mo_halving, reduction_factor: 2}"
SEVERAL = "objectives=[score, inference_flops, wall_s]"
GRID = ("search={name: grid}", "space={training.learning_rate: {dist: choice, values: [1e-4, 1e-3, 2e-3, 1e-2]}}")
POINTS = "search={name: points, points: [{training.learning_rate: 1e-4}, {training.learning_rate: 1e-3}]}"
SWEEPS: dict[str, tuple[str, ...]] = {
    "random": (RANDOM,),
    "grid": GRID,
    "points": (POINTS, "space={}"),
    "nsga2": ("search={name: nsga2, samples: 8, population: 3}",),
    "growing seeds": (RANDOM, "scheduler.seeds=[1, 2]"),
    "each trial": (RANDOM, "scheduler.per_trial=true"),
    "five seeds": (RANDOM, "seeds.initialisation=5"),
}
FAIL = {"c002-i1-o0": 2, "c001-i0-o0": 1}


@pytest.fixture(autouse=True)
def _costs_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inference and time cost more at greater learning rates, and seeds differ."""
    plain = stand_ins.a_record

    def a_record(trial: TrialSpec, epoch: int, score: float | None = None, wall_s: float = 1.0) -> EpochRecord:
        rate = trial.settings.training.learning_rate
        record = plain(trial, epoch, score, wall_s * (1 + 0.1 * trial.seeds.initialisation + math.sin(1e4 * rate)))
        exits = tuple(dataclasses.replace(one, inference_flops=round(1e9 * rate)) for one in record.exits)
        return dataclasses.replace(record, exits=exits)

    monkeypatch.setattr(stand_ins, "a_record", a_record)


def came_to(state: SweepState) -> dict[str, Any]:
    return {
        name: (
            trial.status,
            trial.epoch,
            [v.to_json() for _, v in trial.verdicts if v.action is not Action.PAUSE],
        )
        for name, trial in state.trials.items()
    }


@pytest.mark.parametrize("overrides", SWEEPS.values(), ids=list(SWEEPS))
def test_a_driver_killed_after_any_event_comes_to_the_same_decisions(
    tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    chosen = (HALVING, SEVERAL, *overrides)
    state = session(tmp_path / "whole", *chosen, fail=FAIL)
    whole = came_to(state)
    assert state.complete
    assert {how for how, _, _ in whole.values()} >= {"finished", "stopped"}
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    first = next(n for n, event in enumerate(read_events(tmp_path / "whole" / NAME)) if event.kind == "session")
    for cut in range(first, len(lines), 23):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:5])
        assert came_to(session(folder, *chosen, fail=FAIL)) == whole, f"killed after {cut} of {len(lines)} events"


def test_epochs_that_cost_otherwise_the_second_time_change_no_decision_on_record(tmp_path: Path) -> None:
    """Time is never the same twice: what was decided stands, and what follows counts the latest attempt."""
    chosen = (HALVING, SEVERAL, RANDOM)
    session(tmp_path, *chosen, reports=9)
    first = came_to(session(tmp_path, *chosen, reports=0))
    slower = session(tmp_path, *chosen, reports=21, wall_s=5.0)
    assert {len(trial.records) < len(trial.reports) for trial in slower.trials.values()} == {True, False}
    state = session(tmp_path, *chosen, wall_s=0.5)
    assert state.complete
    for name, (_, _, decided) in first.items():
        assert came_to(state)[name][2][: len(decided)] == decided
    before = (tmp_path / NAME).read_bytes()
    again = open_sweep(a_plan(*chosen), resolved(a_plan(*chosen).spec), tmp_path)
    assert again.missing == ()
    again.journal.close()
    assert (tmp_path / NAME).read_bytes() == before


def test_what_is_compared_are_the_objectives_as_at_the_report(tmp_path: Path) -> None:
    """And all that were on front 1 when they came are beaten by none of those before them."""
    state = session(tmp_path, HALVING, SEVERAL, RANDOM)
    tables = read_tables(tmp_path)
    places = front_places(tables)
    assert len(places) >= 8
    assert (places["place"] >= places["front"]).all()
    spec = state.spec
    for rung, here in places.groupby("rung"):
        vectors: list[tuple[float, ...]] = []
        for row in here.to_dict("records"):
            trials = state.members(str(row["unit"]))
            told = [costs_so_far(spec.objectives, trial.records, spec.metric, int(rung)) for trial in trials]  # type: ignore[call-overload]
            assert not any(one.missing for one in told)
            means = [-sum(one.values[name] for one in told) / len(told) for name in spec.objectives[1:]]
            assert -means[1] == pytest.approx(
                sum(r.costs.wall_s for t in trials for e, r in t.records.items() if e <= rung) / len(trials)  # type: ignore[operator]
            )
            mine = (float(row["value"]), *means)
            beaten = any(all(a >= b for a, b in zip(one, mine, strict=True)) and one != mine for one in vectors)
            assert beaten == (row["front"] > 1)
            vectors.append(mine)
    section = early_stopping.section(tables)
    (table,) = [table for table in section.tables if table.name == "places-at-rungs"]
    assert len(table.frame) == len(places)
    assert set(table.frame["action"]) == {"goes on", "stopped"}


def test_one_objective_is_compared_by_other_schedulers_as_ever(tmp_path: Path) -> None:
    one = came_to(session(tmp_path / "one", RANDOM))
    several = came_to(session(tmp_path / "several", SEVERAL, RANDOM))
    assert one == several
    tables = read_tables(tmp_path / "several")
    assert front_places(tables).empty
    assert [table.name for table in early_stopping.section(tables).tables] == ["epochs-saved"]


def test_a_cost_that_nobody_measured_stops_everything_with_the_reason(tmp_path: Path) -> None:
    state = session(tmp_path, HALVING, "objectives=[score, energy_j]", RANDOM)
    assert {trial.status for trial in state.trials.values()} == {"stopped"}
    assert all("energy_j" in trial.reason for trial in state.trials.values())
    assert {trial.epoch for trial in state.trials.values()} == {1}
    assert EPOCHS > 1
    decisions = read_tables(tmp_path).decisions
    assert decisions["front"].isna().all()
    assert decisions["value"].isna().all()


def test_other_objectives_are_another_rule(tmp_path: Path) -> None:
    plan = a_plan(HALVING, SEVERAL, RANDOM)
    open_sweep(plan, resolved(plan.spec), tmp_path).journal.close()
    other = a_plan(HALVING, "objectives=[score, wall_s]", RANDOM)
    assert plan.fingerprint != other.fingerprint
    with pytest.raises(InputError, match="two rules"):
        open_sweep(other, resolved(other.spec), tmp_path)
    more = a_plan(HALVING, SEVERAL, "search={name: random, samples: 9}")
    again = open_sweep(more, resolved(more.spec), tmp_path)
    assert len(again.state.trials) == 18
    again.journal.close()


def test_a_sweep_with_the_score_alone_is_refused_at_the_scheduler() -> None:
    with pytest.raises(SweepFileError) as refusal:
        a_plan(HALVING, RANDOM)
    (problem,) = refusal.value.problems
    assert problem.path == "scheduler"
    assert "objectives: [score, inference_flops]" in problem.message
