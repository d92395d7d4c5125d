"""Sweeps whose search learns, with stand-ins for the workers: killed and resumed, extended, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from climb import Climb
from growing_sweeps import a_plan, session

from greenexp.errors import InputError, ReplayError, SweepFileError
from greenexp.journal.file import NAME
from greenexp.journal.state import SweepState
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, Observation, ProposalState
from greenexp.searches.sampled import SampledProposals

TPE = "search={name: tpe, samples: 10, startup: 3}"
GP = "search={name: gp, samples: 8, startup: 3}"
FIFO = "scheduler={name: fifo}"
HYPERBAND = "scheduler={name: hyperband, reduction_factor: 2}"
SHA = "scheduler={name: sha}"
PROMOTION = "scheduler={name: asha_promotion, reduction_factor: 2}"
MEDIAN = "scheduler={name: median, min_units: 2}"
PASHA = "scheduler={name: pasha, reduction_factor: 2}"
ONE_EPOCH = "scheduler={name: one_epoch, keep: 2}"
MO_HALVING = "scheduler={name: mo_halving, reduction_factor: 2}"
SEVERAL = "objectives=[score, train_flops]"
NSGA2 = "search={name: nsga2, samples: 12, population: 3}"
CONDITIONAL = """space={
  training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-1},
  method.name: {dist: choice, values: [dbt, branchynet]},
  method.temperature: {dist: loguniform, low: 1, high: 8, when: {method.name: dbt}}}"""
PER_METHOD = "search={name: tpe, samples: 6, startup: 2, per: method.name}"
WITHIN = "search={name: random, samples: 50, per: method.name, budget: {train_flops: 60 GFLOP}}"
SWEEPS = {
    "tpe, asha": (TPE, "scheduler.grace_period=2"),
    "tpe": (TPE, FIFO),
    "gp": (GP, FIFO),
    **{f"tpe, {way}": (TPE, way) for way in (HYPERBAND, SHA, PROMOTION, MEDIAN, PASHA, ONE_EPOCH)},
    "nsga2": (NSGA2, SEVERAL, FIFO),
    "tpe, several, asha": (TPE, SEVERAL),
    "tpe, several, mo_halving": (TPE, SEVERAL, MO_HALVING),
    "nsga2, mo_halving": (NSGA2, SEVERAL, MO_HALVING),
    "tpe, conditional": (TPE, CONDITIONAL, FIFO),
    "tpe for each method": (PER_METHOD, CONDITIONAL, FIFO),
    "random for each method within a budget": (WITHIN, CONDITIONAL, FIFO),
}


def came_to(state: SweepState) -> dict[str, Any]:
    """What a sweep found, without times and attempts."""
    trials = {
        name: (trial.spec.to_json(), trial.status, {e: r.score for e, r in trial.records.items()})
        for name, trial in state.trials.items()
    }
    return {"trials": trials, "proposals": state.proposals, "complete": state.complete}


@pytest.mark.parametrize("settings", SWEEPS.values(), ids=list(SWEEPS))
def test_a_driver_killed_after_any_event_comes_to_the_same_sweep(tmp_path: Path, settings: tuple[str, ...]) -> None:
    fail = {"c002-i1-o0": 2}
    whole = came_to(session(tmp_path / "whole", *settings, fail=fail))
    assert whole["complete"]
    lines = (tmp_path / "whole" / NAME).read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines), len(lines) // 6):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / NAME).write_bytes(b"".join(lines[:cut]) + lines[cut][:7])
        assert came_to(session(folder, *settings, fail=fail)) == whole, f"killed after {cut} of {len(lines)} events"


def test_a_sweep_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    whole = came_to(session(tmp_path / "whole", TPE))
    for _ in range(40):
        session(tmp_path / "broken", TPE, reports=1)
    assert came_to(session(tmp_path / "broken", TPE)) == whole


def test_it_is_told_how_far_each_configuration_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Observation] = []
    monkeypatch.setattr(SampledProposals, "tell", lambda self, observation: told.append(observation))
    state = session(tmp_path, TPE, fail={"c002-i1-o0": 2})
    assert {one.progress for one in told} >= {ProposalState.COMPLETE, ProposalState.STOPPED}
    for one in told:
        trials = state.members(f"c{one.number:03d}")
        if one.progress is not ProposalState.FAILED:
            assert {len(trial.records) for trial in trials} == {one.epochs}
            assert one.score == pytest.approx(sum(trial.score or 0.0 for trial in trials) / 2)
        assert (one.epochs == 9) == (one.progress is ProposalState.COMPLETE)


@pytest.mark.parametrize("way", [HYPERBAND, PROMOTION, "scheduler={name: asha, reduction_factor: 2}"])
def test_it_is_told_what_each_configuration_came_to_at_each_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    histories: list[Any] = []
    asked = SampledProposals.ask

    def listen(self: SampledProposals, history: Any) -> Any:
        histories.append(history)
        return asked(self, history)

    monkeypatch.setattr(SampledProposals, "ask", listen)
    monkeypatch.setattr("greenexp.searches.tpe.at_largest_fidelity", lambda history, enough: history)
    state = session(tmp_path, TPE, way, fail={"c002-i1-o0": 2})
    last = histories[-1]
    rungs = {verdict.rung for trial in state.trials.values() for _, verdict in trial.verdicts}
    assert {epoch for one in last for epoch in one.scores_at} <= rungs
    assert len({tuple(one.scores_at) for one in last}) > 1
    assert any(one.scores_at and one.progress is ProposalState.RUNNING for history in histories for one in history)
    for one in last:
        trials = state.members(f"c{one.number:03d}")
        if one.progress is ProposalState.FAILED:
            assert one.scores_at == {}
        for epoch, score in one.scores_at.items():
            assert score == pytest.approx(sum(trial.records[epoch].best_score for trial in trials) / 2)
        if one.ended is not None and one.progress is not ProposalState.FAILED:
            assert set(one.scores_at) >= {rung for rung in rungs if rung is not None and rung < one.epochs}


def test_more_samples_go_on_from_the_earlier_ones(tmp_path: Path) -> None:
    """They may be others than those of a sweep that was begun with as many, which proposed before all had ended."""
    few = session(tmp_path, "search={name: tpe, samples: 6, startup: 3}")
    more = session(tmp_path, TPE)
    assert more.proposals[:6] == few.proposals
    assert (len(more.proposals), more.complete) == (10, True)
    assert came_to(session(tmp_path, TPE)) == came_to(more)


@pytest.mark.parametrize("way", [PROMOTION, MEDIAN, PASHA])
def test_more_samples_go_on_where_nobody_has_waited_for_all(tmp_path: Path, way: str) -> None:
    few = session(tmp_path, "search={name: tpe, samples: 6, startup: 3}", way)
    assert few.complete
    more = session(tmp_path, TPE, way)
    assert (len(more.proposals), more.complete) == (10, True)
    for name, trial in few.trials.items():
        assert (more.trials[name].status, more.trials[name].epoch) == (trial.status, trial.epoch)


@pytest.mark.parametrize("way", [SHA, HYPERBAND, ONE_EPOCH])
def test_more_samples_are_refused_where_all_have_been_waited_for(tmp_path: Path, way: str) -> None:
    few = "search={name: tpe, samples: 6, startup: 3}"
    session(tmp_path, few, way, reports=9)
    assert len(session(tmp_path, few, way).proposals) == 6
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match="over more of them"):
        session(tmp_path, TPE, way)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("way", [SHA, PROMOTION, PASHA])
@pytest.mark.parametrize("epochs", [8, 15, 31])
def test_a_budget_that_ends_early_leaves_a_sweep_that_can_go_on(tmp_path: Path, way: str, epochs: int) -> None:
    part = session(tmp_path, TPE, way, f"budget.epochs={epochs}")
    assert part.sessions[-1].closed == "limit"
    assert "paused" in {trial.status for trial in part.trials.values()}
    assert not {trial.status for trial in part.trials.values()} & {"running", "interrupted"}
    whole = session(tmp_path, TPE, way)
    assert whole.complete
    assert {trial.status for trial in whole.trials.values()} == {"finished", "stopped"}


@pytest.mark.parametrize("change", ["search.startup=5", "search.seed=1", "search.multivariate=false"])
def test_what_it_has_drawn_by_may_not_change(tmp_path: Path, change: str) -> None:
    override = "space.training.weight_decay={dist: uniform, low: 0, high: 0.1}"
    session(tmp_path, TPE, override)
    with pytest.raises((InputError, ReplayError), match="search"):
        session(tmp_path, TPE, override, change)


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_plan_knows_its_size_and_refuses_what_cannot_learn(name: str) -> None:
    plan = a_plan(f"search={{name: {name}, samples: 20}}")
    assert (plan.size, plan.complete, len(plan.configurations)) == (20, False, 1)
    with pytest.raises(SweepFileError, match=r"search\.samples: is not more than 'startup' \(10\)"):
        a_plan(f"search={{name: {name}, samples: 10}}")
    with pytest.raises(SweepFileError, match=r"search: a search that learns needs a 'space'"):
        a_plan(f"search={{name: {name}, samples: 20}}", "space={}")


def test_a_space_of_every_distribution_grows_a_plan(tmp_path: Path) -> None:
    space = (
        "space={training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-1}, "
        "training.warmup: {dist: uniform, low: 0, high: 0.3}, "
        "training.batch_size: {dist: int, low: 16, high: 64, step: 16}, "
        "exits.layers: {dist: choice, values: [[1, 2], [2], all]}, "
        "method.name: {dist: choice, values: [branchynet, finetune]}}"
    )
    state = session(tmp_path, TPE, FIFO, space)
    assert state.complete
    assert len(state.proposals) == 10
    assert {trial.status for trial in state.trials.values()} == {"finished"}
    again = session(tmp_path, TPE, FIFO, space).proposals
    assert [canonical_json(one.values) for one in again] == [canonical_json(one.values) for one in state.proposals]


def test_generations_are_journaled_and_come_back(tmp_path: Path) -> None:
    state = session(tmp_path, *SWEEPS["nsga2"])
    generations = [one.memory["NSGAIISampler:generation"] for one in state.proposals]
    assert max(generations) >= 2
    assert b"NSGAIISampler:generation" in (tmp_path / NAME).read_bytes()


def test_several_objectives_are_told_as_means_over_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Observation] = []
    monkeypatch.setattr(SampledProposals, "tell", lambda self, observation: told.append(observation))
    state = session(tmp_path, NSGA2, FIFO, "objectives=[score, inference_flops, wall_s, energy_j]")
    assert told
    for one in told:
        trials = state.members(f"c{one.number:03d}")
        assert one.objectives["score"] == one.score
        assert one.objectives["inference_flops"] == 1e6
        assert one.objectives["wall_s"] == sum(len(trial.records) for trial in trials) / len(trials)
        assert one.objectives["energy_j"] is None, "not measured"


def test_what_is_optimised_may_not_change(tmp_path: Path) -> None:
    session(tmp_path, *SWEEPS["nsga2"], reports=30)
    with pytest.raises(InputError, match="objectives"):
        session(tmp_path, NSGA2, FIFO, "objectives=[score, wall_s]")


def test_a_search_that_learns_from_one_objective_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    with pytest.raises(SweepFileError) as error:
        a_plan(SEVERAL)
    assert [problem.path for problem in error.value.problems] == ["objectives"]
    assert a_plan(SEVERAL, "search={name: random, samples: 2}").spec.objectives == ("score", "train_flops")


@pytest.mark.parametrize(
    "wrong", ["[train_flops, score]", "[score, score]", "[score, accuracy]", "score", "[]", "[score, latency_s]"]
)
def test_wrong_objectives_are_named_at_their_place(wrong: str) -> None:
    with pytest.raises(SweepFileError) as error:
        a_plan(NSGA2, f"objectives={wrong}")
    assert all(problem.path.startswith("objectives") for problem in error.value.problems)
