"""Rungs at equal cost through the conductor: killed and resumed alike, with costs that a repetition changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from climb import Climb
from growing_sweeps import a_plan, session
from stand_ins import Sweep, Workers, curve

from greenexp.analysis.search.progress import search_progress
from greenexp.analysis.sweeps.configurations import configuration_states
from greenexp.analysis.sweeps.savings import rung_table
from greenexp.figures import rungs_figure
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.decision import Action
from greenexp.records.trial import TrialSpec
from greenexp.report.sections import early_stopping
from greenexp.searches import SEARCHES
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.searching import observation

SETTINGS: dict[str, dict[str, Any]] = {
    "asha": {"name": "asha", "resource": "wall_s", "grace_period": 2.5, "reduction_factor": 2, "seeds": [1, 2]},
    "asha in brackets": {
        "name": "asha", "resource": "wall_s", "grace_period": 1.5, "reduction_factor": 2, "brackets": 2,
    },
    "asha_promotion": {"name": "asha_promotion", "resource": "energy_j", "grace_period": 7.0, "reduction_factor": 2},
    "pasha": {
        "name": "pasha", "resource": "energy_j", "grace_period": 7.0, "reduction_factor": 2, "epsilon": 0.01,
    },
    "median": {"name": "median", "resource": "wall_s", "grace_period": 2.0, "min_units": 2},
}  # fmt: skip
FAIL = {"c004-i0-o0": 2, "c003-i1-o0": 3}


def uneven(trial: TrialSpec, epoch: int) -> float:
    """A good configuration comes first, another one fourth, the best last."""
    return curve(trial, epoch) + (0.2 if trial.configuration in {"c000", "c003", "c005"} else 0.0)


def charged(trial: TrialSpec, epoch: int, repeated: bool) -> dict[str, float | None]:
    """Costs that differ by trial and epoch, and of which a repeated epoch needs far more."""
    number = int(trial.configuration[1:])
    wall_s = 0.4 + 0.3 * number + 0.01 * epoch + (100 if repeated else 0)
    return {"wall_s": wall_s, "energy_j": 3 * wall_s}


def without_energy(trial: TrialSpec, epoch: int, repeated: bool) -> dict[str, float | None]:
    """As `charged`, without a reading of one seed's second epoch."""
    lost = trial.trial == "c005-i1-o0" and epoch == 2
    return charged(trial, epoch, repeated) | ({"energy_j": None} if lost else {})


def played(folder: Path, name: str, reports: int | None = None, **play: Any) -> Conductor:
    folder.mkdir(exist_ok=True)
    sweep = Sweep(folder)
    sweep.spec["scheduler"] = SETTINGS[name]
    sweep.spec["search"] = {"name": "random", "samples": 6}
    sweep.spec["space"] = {"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-1}}
    conductor = sweep.open(scheduler=SETTINGS[name], configurations=6, seeds=2, workers=2)
    Workers(conductor, score=uneven, **{"costs": charged, **play}).play(reports)
    if reports is None:
        conductor.close()
    conductor.journal.close()
    return conductor


def came_to(state: SweepState) -> dict[str, Any]:
    """Without who waited for whom: a trial that was broken off is taken up first."""
    return {
        name: (trial.status, trial.epoch, [v.to_json() for _, v in trial.verdicts if v.action is not Action.PAUSE])
        for name, trial in state.trials.items()
    }


@pytest.mark.parametrize("play", [{}, {"fail": FAIL}, {"costs": without_energy}], ids=["well", "some fail", "unread"])
@pytest.mark.parametrize("name", SETTINGS)
def test_replaying_the_journal_comes_to_its_decisions(tmp_path: Path, name: str, play: dict[str, Any]) -> None:
    state = played(tmp_path, name, **play).state
    assert state.complete
    statuses = {trial.status for trial in state.trials.values()}
    assert {"finished", "stopped"} <= statuses
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    again = played(tmp_path, name, 0, **play)  # `rebuild` would raise for a decision it does not come to
    assert came_to(again.state) == came_to(state)
    assert (tmp_path / NAME).read_bytes().splitlines(keepends=True)[: len(lines)] == lines


@pytest.mark.parametrize("name", ["asha in brackets", "median"])
def test_what_an_attempt_repeats_costs_nothing_at_the_rungs(tmp_path: Path, name: str) -> None:
    """One worker: the order of reports is the same however often the driver is killed, so decisions are, too."""

    def alone(folder: Path) -> SweepState:
        folder.mkdir(exist_ok=True)
        conductor = Sweep(folder).open(scheduler=SETTINGS[name], configurations=6, seeds=1, workers=1)
        Workers(conductor, score=uneven, costs=charged).play()
        conductor.close()
        conductor.journal.close()
        return conductor.state

    whole = came_to(alone(tmp_path / "whole"))
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    for cut in sorted(random.Random(0).sample(range(10, len(lines)), 12)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert came_to(alone(folder)) == whole, f"killed after {cut} of {len(lines)} events"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_driver_killed_anywhere_ends_in_good_order(tmp_path: Path, name: str) -> None:
    played(tmp_path / "whole", name, fail=FAIL)
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    for cut in sorted(random.Random(1).sample(range(20, len(lines)), 8)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert played(folder, name, fail=FAIL).state.complete
        played(folder, name, 0)


def test_a_trial_is_judged_at_its_first_report_at_or_beyond_a_level(tmp_path: Path) -> None:
    played(tmp_path, "asha in brackets", fail=FAIL)
    state = SweepState(read_events(tmp_path / NAME))
    judged = 0
    for trial in state.trials.values():
        used: dict[Any, float] = {}
        total = 0.0
        for _, _, record in trial.reports:
            used[record.epoch] = total = total + record.costs.wall_s
        for _, verdict in trial.verdicts:
            if verdict.level is None or verdict.action is Action.PAUSE:
                continue
            judged += 1
            before = max((cost for epoch, cost in used.items() if epoch < verdict.rung), default=0.0)
            assert before < verdict.level <= used[verdict.rung] * (1 + 1e-9)
    assert judged > 6


def test_an_unread_meter_is_on_record_and_the_trial_trains_on(tmp_path: Path) -> None:
    state = played(tmp_path, "asha_promotion", costs=without_energy).state
    said = [v for _, v in state.trials["c005-i1-o0"].verdicts if v.action is Action.GO_ON and v.value is None]
    assert len(said) == 1
    assert "energy_j" in said[0].reason
    assert {state.trials[f"c005-i{seed}-o0"].status for seed in (0, 1)} == {"finished"}
    section = early_stopping.section(read_tables(tmp_path))
    assert any("2 trials" in assumption for assumption in section.assumptions)


def test_tables_and_figures_name_levels_in_their_unit(tmp_path: Path) -> None:
    played(tmp_path, "asha_promotion")
    tables = read_tables(tmp_path)
    table = rung_table(tables)
    given = tables.decisions.dropna(subset=["level"])
    assert list(table["rung"]) == sorted(given["level"].unique())
    assert set(table["rung"]) <= {7.0 * 2**power for power in range(31)}
    for rung, went_on, stopped in zip(table["rung"], table["went_on"], table["stopped"], strict=True):
        last = given[given["level"] == rung].drop_duplicates("trial", keep="last")
        assert (went_on, stopped) == ((last["action"] == "go_on").sum(), (last["action"] == "stop").sum())
    figure = rungs_figure(table, "energy_j")
    assert "7 J energy_j" in figure.alt
    section = early_stopping.section(tables)
    (plate,) = section.plates
    assert plate.table.cells()[0][1] == "7 J"


def test_a_configuration_that_stopped_after_different_epochs_has_no_mean(tmp_path: Path) -> None:
    def by_seed(trial: TrialSpec, epoch: int, repeated: bool) -> dict[str, float | None]:
        return {"wall_s": 1.0 + trial.seeds.initialisation}

    played(tmp_path, "median", costs=by_seed)
    tables = read_tables(tmp_path)
    states = configuration_states(tables.trials)
    apart = {name for name, (state, _) in states.items() if state == "stopped apart"}
    assert apart
    assert "different numbers of epochs" in search_progress(tables).refusal


def test_a_search_is_told_scores_at_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    scheduler = "scheduler={name: asha, resource: wall_s, grace_period: 2, reduction_factor: 2}"
    state = session(tmp_path, scheduler, costs=charged)
    levels = (2.0, 4.0, 8.0)
    for number, proposed in enumerate(state.proposals):
        told = observation(state, number, proposed, levels).scores_at
        for level, score in told.items():
            values = []
            for trial in state.members(proposed.configuration):
                used = [sum(r.costs.wall_s for _, _, r in trial.reports[: k + 1]) for k in range(len(trial.reports))]
                come = next((k for k, cost in enumerate(used) if cost >= level), len(used) - 1)
                values.append(trial.reports[come][2].best_score)
            assert score == pytest.approx(sum(values) / len(values))
    assert any(observation(state, n, one, levels).scores_at for n, one in enumerate(state.proposals))
    assert a_plan(scheduler).new_scheduler().state()["scheduler"]["grace_period"] == 2
