"""A plan that grows while it runs: a search that learns, killed at every event and resumed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from climb import PATH, Climb
from edited_journals import edit
from growing_sweeps import a_plan, session

from greenexp.errors import InputError, ReplayError, StateError, SweepFileError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.plan.plugins import installed
from greenexp.searches import SEARCHES, NoProposal
from greenexp.spec import resolved
from greenexp.tuning.opening import open_sweep


@pytest.fixture(autouse=True)
def climb(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is registered for the time of a test."""
    assert list(SEARCHES)
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)


def came_to(state: SweepState) -> dict[str, Any]:
    """What a sweep found, without times and attempts."""
    trials = {
        name: (trial.spec.to_json(), trial.status, {e: r.score for e, r in trial.records.items()})
        for name, trial in state.trials.items()
    }
    return {"trials": trials, "proposals": state.proposals, "complete": state.complete, "done": state.search_done}


def test_every_proposal_follows_from_what_came_before(tmp_path: Path) -> None:
    state = session(tmp_path)
    assert state.complete
    assert [one.configuration for one in state.proposals] == [f"c{i:03d}" for i in range(6)]
    assert len(state.trials) == 12
    values = [one.values[PATH] for one in state.proposals]
    assert len(set(values)) == 6
    assert values[1] == 2 * values[0]
    for trial in state.trials.values():
        assert trial.spec.settings.training.learning_rate == values[int(trial.spec.configuration[1:])]
    assert [trial.spec.index for trial in state.trials.values()] == list(range(12))
    assert {trial.status for trial in state.trials.values()} == {"finished", "stopped"}, "the scheduler took part"


@pytest.mark.parametrize("fail", [{}, {"c001-i0-o0": 2, "c003-i1-o0": 1}], ids=["all well", "two trials fail"])
def test_a_driver_killed_after_any_event_comes_to_the_same_sweep(tmp_path: Path, fail: dict[str, int]) -> None:
    whole = came_to(session(tmp_path / "whole", fail=fail))
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    assert sum(b'"kind":"proposal"' in line for line in lines) == 6
    for cut in range(1, len(lines), 4 if fail else 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert came_to(session(folder, fail=fail)) == whole, f"killed after {cut} of {len(lines)} events"


def test_a_sweep_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    whole = came_to(session(tmp_path / "whole"))
    for _ in range(60):
        state = session(tmp_path / "broken", reports=1)
    state = session(tmp_path / "broken")
    assert came_to(state) == whole
    before = (tmp_path / "broken" / NAME).read_bytes()
    plan = a_plan()
    sweep = open_sweep(plan, resolved(plan.spec), tmp_path / "broken")
    sweep.journal.close()
    assert sweep.finished
    assert (tmp_path / "broken" / NAME).read_bytes() == before, "opening it once more writes nothing"


def test_more_proposals_go_on_from_the_earlier_ones(tmp_path: Path) -> None:
    few = session(tmp_path, "search.proposals=3")
    assert len(few.proposals) == 3
    more = session(tmp_path)
    assert more.proposals[:3] == few.proposals
    assert came_to(more) == came_to(session(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("space.training.learning_rate.high=1e-2", "space"),
        ("seeds.initialisation=3", "seeds"),
        ("training.epochs=5", "training"),
        ("search={name: random, samples: 2}", "search"),
    ],
)
def test_what_the_search_has_learnt_from_may_not_change(tmp_path: Path, override: str, words: str) -> None:
    session(tmp_path, reports=25)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match=words):
        session(tmp_path, override)
    assert (tmp_path / NAME).read_bytes() == before


def test_a_proposal_that_is_not_what_the_search_says_is_found(tmp_path: Path) -> None:
    session(tmp_path)
    journal = tmp_path / NAME
    edit(journal, lambda line: line.get("number") == 3 and line["values"].update({PATH: 0.05}))
    with pytest.raises((InputError, ReplayError), match=r"c003|proposal 3"):
        session(tmp_path)


@pytest.mark.parametrize(("limit", "axis"), [("budget.trials=5", "trials"), ("budget.epochs=30", "epochs")])
def test_a_budget_ends_it_and_a_larger_one_goes_on(tmp_path: Path, limit: str, axis: str) -> None:
    state = session(tmp_path, limit)
    assert state.limit is not None
    assert state.limit.axis == axis
    assert not state.complete
    assert state.sessions[-1].closed == "limit"
    assert came_to(session(tmp_path)) == came_to(session(tmp_path / "whole"))


def test_its_size_may_be_unknown(tmp_path: Path) -> None:
    unknown = a_plan("search.known=false")
    assert (unknown.size, unknown.complete, len(unknown.configurations)) == (None, False, 1)
    assert came_to(session(tmp_path / "a", "search.known=false"))["complete"]


def test_the_fingerprint_is_of_what_the_trials_follow_from() -> None:
    plan = a_plan()
    assert plan.fingerprint == a_plan().fingerprint == plan.grown([{PATH: 1e-3}, {PATH: 3e-3}]).fingerprint
    other = ("search.proposals=5", "space.training.learning_rate.high=1e-2", "seeds.root=1", "training.epochs=8")
    assert len({plan.fingerprint, *(a_plan(change).fingerprint for change in other)}) == 5
    assert a_plan("budget.trials=3", "resources.workers=1").fingerprint == plan.fingerprint


def test_a_scheduler_that_waits_for_all_is_refused_where_their_number_is_not_known() -> None:
    for name in ("sha", "hyperband", "one_epoch"):
        with pytest.raises(
            SweepFileError, match=rf"scheduler\.name: '{name}'.*asha, asha_promotion, fifo, median, pasha"
        ):
            a_plan(f"scheduler={{name: {name}}}", "search.known=false")
        assert a_plan(f"scheduler={{name: {name}}}").size == 6
    with pytest.raises(SweepFileError, match=r"scheduler.*seed_racing needs all configurations at the start"):
        a_plan("scheduler={name: seed_racing}")
    with pytest.raises(SweepFileError, match=r"seeds\.rounds"):
        a_plan("seeds.rounds=true")
    with pytest.raises(SweepFileError, match=r"of 6 to compare.*at least 9"):
        a_plan("scheduler.reduction_factor=9")


def test_a_search_that_waits_for_those_that_wait_for_it_ends_the_session(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(StateError, match="waits"):
            session(tmp_path, "scheduler={name: sha, reduction_factor: 2}")


def test_a_limit_on_trials_under_a_scheduler_that_waits_for_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"budget\.trials is 5 and the sweep has 12 trials"):
        session(tmp_path, "scheduler={name: sha, reduction_factor: 2}", "budget.trials=5")


def test_a_search_that_waits_for_nothing_ends_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session(tmp_path, reports=5)
    monkeypatch.setattr("climb.Climber.tell", lambda self, observation: None)
    with pytest.raises(StateError, match="waits"):
        session(tmp_path)
    assert not SweepState(read_events(tmp_path / NAME)).complete


def test_it_is_registered_like_any_plug_in() -> None:
    assert "climb" in installed()["search"]
    assert NoProposal.WAIT is not NoProposal.DONE


def test_a_journal_of_a_version_without_objectives_goes_on(tmp_path: Path) -> None:
    session(tmp_path / "new", reports=25)
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    edit(tmp_path / "old" / NAME, lambda line: line["kind"] == "sweep" and line["spec"].pop("objectives"), old=True)
    assert came_to(session(tmp_path / "old")) == came_to(session(tmp_path / "new"))
