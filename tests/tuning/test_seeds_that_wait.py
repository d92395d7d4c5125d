"""Seeds whose turn has not come: never started by the conductor, given up on record; killed and resumed alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from climb import Climb
from edited_journals import edit
from growing_sweeps import a_plan, session
from stand_ins import EPOCHS, Sweep, Workers, a_record, curve

from greenexp.errors import InputError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.decision import Action
from greenexp.records.trial import TrialSpec
from greenexp.searches import SEARCHES
from greenexp.searches.base import ProposalState
from greenexp.spec import resolved
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.opening import open_sweep
from greenexp.tuning.searching import observation

SETTINGS: dict[str, dict[str, Any]] = {
    "asha": {"name": "asha", "reduction_factor": 2, "seeds": [1, 2, 3]},
    "sha": {"name": "sha", "reduction_factor": 3, "seeds": [1, 3]},
    "hyperband": {"name": "hyperband", "reduction_factor": 3, "seeds": [1, 2, 3]},
    "seed_racing": {"name": "seed_racing"},
}
FAIL = {"c004-i0-o0": 2, "c003-i1-o0": 2, "c005-i2-o0": 9}


def uneven(trial: TrialSpec, epoch: int) -> float:
    """Better and worse configurations in turn, the best of them last."""
    return curve(trial, epoch) + (0.2 if int(trial.configuration[1:]) % 2 else 0.0)


def played(folder: Path, name: str, reports: int | None = None, workers: int = 1, **play: Any) -> Conductor:
    folder.mkdir(exist_ok=True)
    conductor = Sweep(folder).open(scheduler=SETTINGS[name], configurations=6, seeds=3, workers=workers)
    Workers(conductor, score=uneven, **play).play(reports)
    if reports is None:
        conductor.close()
    conductor.journal.close()
    return conductor


def sampled(first: int, last: int) -> list[int]:
    """Ten different places, the same at every run."""
    return sorted(random.Random(last).sample(range(first, last), 10))


def came_to(state: SweepState) -> dict[str, Any]:
    """Without who of a configuration's seeds waited for the other: a trial that was broken off is taken up first."""
    return {
        name: (
            trial.status,
            trial.epoch,
            trial.reason,
            [v.to_json() for _, v in trial.verdicts if v.action is not Action.PAUSE],
        )
        for name, trial in state.trials.items()
    }


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("fail", [{}, FAIL], ids=["all well", "some fail"])
@pytest.mark.parametrize("name", SETTINGS)
def test_no_seed_begins_before_its_configuration_has_climbed(
    tmp_path: Path, name: str, fail: dict[str, int], workers: int
) -> None:
    conductor = played(tmp_path, name, workers=workers, fail=fail)
    assert conductor.state.complete
    climbed: set[str] = set()
    for event in read_events(tmp_path / NAME):
        if event.kind == "decision" and event.data["action"] == "go_on":
            climbed.add(event.data["trial"])
        if event.kind == "started" and event.data["trial"] not in climbed:
            number = int(event.data["trial"].split("-")[1][1:])
            assert number < (3 if name == "hyperband" else 1), f"{event.data['trial']} was started too early"
    given_up = [trial for trial in conductor.state.trials.values() if not trial.attempts]
    assert given_up
    assert all(trial.status == "stopped" and trial.reason and not trial.records for trial in given_up)


@pytest.mark.parametrize("fail", [{}, FAIL], ids=["all well", "some fail"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_driver_killed_after_any_event_comes_to_the_same_decisions(
    tmp_path: Path, name: str, fail: dict[str, int]
) -> None:
    whole = came_to(played(tmp_path / "whole", name, fail=fail).state)
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    for cut in sampled(20, len(lines)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert came_to(played(folder, name, fail=fail).state) == whole, f"killed after {cut} of {len(lines)} events"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_limit_of_exactly_the_trials_that_begin_is_not_reached(tmp_path: Path, name: str) -> None:
    begun = sum(trial.attempts > 0 for trial in played(tmp_path / "free", name).state.trials.values())
    for limit, closed in ((begun, "finished"), (begun - 1, "limit")):
        folder = tmp_path / str(limit)
        folder.mkdir()
        limits = {"trials": float(limit)}
        conductor = Sweep(folder).open(scheduler=SETTINGS[name], configurations=6, seeds=3, workers=1, limits=limits)
        Workers(conductor, score=uneven).play()
        assert conductor.close() == closed
        conductor.journal.close()


@pytest.mark.parametrize("name", SETTINGS)
def test_seeds_that_end_by_their_patience_bring_the_next_ones(tmp_path: Path, name: str) -> None:
    ends = {f"c{c:03d}-i{s}-o0": 1 + (c + s) % 4 for c in range(6) for s in range(2)}
    state = played(tmp_path, name, ends=ends).state
    assert state.complete
    best = [state.trials[f"c005-i{s}-o0"] for s in range(3)]
    assert [trial.status for trial in best] == ["finished"] * 3
    assert [trial.epoch for trial in best] == [ends["c005-i0-o0"], ends["c005-i1-o0"], EPOCHS]


GROWING = ("scheduler.seeds=[1, 2]", "search={name: random, samples: 8}")


def test_a_search_learns_from_the_seeds_that_were_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(SEARCHES)
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    whole = session(tmp_path / "whole", "scheduler.seeds=[1, 2]")
    assert whole.complete
    assert {trial.attempts for trial in whole.trials.values()} == {0, 1}
    for number, proposed in enumerate(whole.proposals):
        told = observation(whole, number, proposed)
        trained = [trial for trial in whole.members(proposed.configuration) if trial.records]
        assert told.seeds == len(trained) > 0
        assert told.score == pytest.approx(sum(trial.score or 0.0 for trial in trained) / len(trained))
        assert told.epochs == min(trial.epoch for trial in trained)
        stopped = any(trial.status == "stopped" for trial in whole.members(proposed.configuration))
        assert told.progress is (ProposalState.STOPPED if stopped else ProposalState.COMPLETE)
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    for cut in sampled(4, len(lines)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]))
        assert came_to(session(folder, "scheduler.seeds=[1, 2]")) == came_to(whole)


def test_a_waiting_scheduler_needs_the_trials_that_it_starts_and_no_more(tmp_path: Path) -> None:
    # 8 configurations, rungs after 1, 2, 4 and 8 epochs: 8 first seeds, and second ones of the 4 that go on.
    fields = (*GROWING, "scheduler.name=sha")
    with pytest.raises(InputError, match=r"budget\.trials is 11 .* 12 trials"):
        session(tmp_path / "few", *fields, "budget.trials=11")
    state = session(tmp_path / "enough", *fields, "budget.trials=12")
    assert state.sessions[-1].closed == "finished"
    assert sum(trial.attempts > 0 for trial in state.trials.values()) == 12


OLD_RACE = ("scheduler={name: seed_racing}", "search={name: random, samples: 4}", "training.epochs=3")


def test_a_race_of_an_earlier_version_is_read_and_not_resumed(tmp_path: Path) -> None:
    """There every seed trained its first epoch and was paused by a decision."""
    session(tmp_path, *OLD_RACE, reports=0)
    plan = a_plan(*OLD_RACE)
    sweep = open_sweep(plan, resolved(plan.spec), tmp_path)
    for spec in plan.trials[:2]:
        sweep.journal.append("started", trial=spec.trial, attempt=1, after=0)
        sweep.journal.append("report", trial=spec.trial, attempt=1, record=a_record(spec, 1).to_json())
    held = {"trial": plan.trials[1].trial, "action": "pause", "rung": 1, "value": None, "cutoff": None, "bracket": 0}
    sweep.journal.append("decision", **held, reason="its configuration does 1 seeds first")
    sweep.journal.close()
    with pytest.raises(InputError, match=r"another rule of scheduler seed_racing.*c000-i1-o0.*--fresh") as caught:
        session(tmp_path, *OLD_RACE)
    assert "\n" not in str(caught.value)
    tables = read_tables(tmp_path)
    assert len(tables.decisions) == 1
    assert list(tables.epochs["trial"]) == [trial.trial for trial in plan.trials[:2]]


def test_a_sweep_recorded_before_the_scheduler_had_seeds_is_resumed(tmp_path: Path) -> None:
    fields = ("search={name: random, samples: 4}",)
    whole = session(tmp_path / "whole", *fields)
    session(tmp_path, *fields, reports=9)
    edit(tmp_path / NAME, _as_before_seeds, old=True)
    assert came_to_status(session(tmp_path, *fields)) == came_to_status(whole)


def _as_before_seeds(line: dict[str, Any]) -> None:
    if line["kind"] == "sweep":
        del line["spec"]["scheduler"]["seeds"]
    if line["kind"] == "decision":
        del line["seeds"], line["noise"]


def came_to_status(state: SweepState) -> dict[str, tuple[str, int]]:
    return {name: (trial.status, trial.epoch) for name, trial in state.trials.items()}
