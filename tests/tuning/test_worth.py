"""A sweep that ends when another configuration is not worth its cost, and goes on to the same end after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from growing_sweeps import a_plan, by_learning_rate
from stand_ins import Workers

from greenexp.analysis.search.next_gain import LEAST, gain_of_draws
from greenexp.api.worth import worth_limit
from greenexp.errors import SweepFileError
from greenexp.journal.state import SweepState
from greenexp.records.worth import PAYMENTS, WORTH
from greenexp.spec import resolved
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.opening import open_sweep

RANDOM = ("search={name: random, samples: 60}", "scheduler={name: fifo}", "training.epochs=2")


def session(folder: Path, *overrides: str, reports: int | None = None) -> SweepState:
    plan = a_plan(*RANDOM, *overrides)
    sweep = open_sweep(plan, resolved(plan.spec), folder)
    limits, enough = plan.spec.budget.limits(), worth_limit(plan)
    conductor = Conductor(
        sweep.journal, sweep.state, sweep.scheduler, limits=limits, workers=2, search=sweep.search, enough=enough
    )
    try:
        conductor.begin({}, sweep.missing)
        Workers(conductor, score=by_learning_rate).play(reports)
        if reports is None:
            conductor.close()
    finally:
        sweep.journal.close()
    return sweep.state


def scores_of(state: SweepState) -> list[float]:
    ended = [state.members(name) for name in state.configurations if name in state.ended]
    return [sum(trial.score or 0.0 for trial in trials) / len(trials) for trials in ended]


def test_it_ends_with_the_first_configuration_that_is_not_worth_its_cost(tmp_path: Path) -> None:
    state = session(tmp_path, "budget={worth: {gain: 0.004, per: configuration}}")
    assert not state.complete
    assert LEAST <= len(state.ended) < 60
    assert state.limit is not None
    assert (state.limit.axis, state.limit.limit) == (WORTH, 0.004)
    scores = scores_of(state)
    assert state.limit.used == pytest.approx(gain_of_draws(scores, 1).mean)
    assert gain_of_draws(scores, 1).mean < 0.004
    for trials in map(state.members, state.configurations):
        assert len({trial.ended for trial in trials}) == 1, "a configuration that has begun gets all its seeds"
    # One before the last, and it would have gone on, unless one more was under way.
    assert any(gain_of_draws(scores[:-back], 1).mean >= 0.004 for back in (1, 2) if len(scores) - back >= LEAST)


def test_a_kill_changes_nothing_of_it(tmp_path: Path) -> None:
    setting = "budget={worth: {gain: 0.004, per: configuration}}"
    whole = session(tmp_path / "whole", setting)
    for reports in (7, 11, 5):
        session(tmp_path / "broken", setting, reports=reports)
    broken = session(tmp_path / "broken", setting)
    assert broken.limit is not None
    assert whole.limit is not None
    assert sorted(broken.ended)[:LEAST] == sorted(whole.ended)[:LEAST]
    assert broken.limit.used is not None
    assert broken.limit.used < 0.004


def test_what_is_worth_its_cost_goes_on_to_the_end(tmp_path: Path) -> None:
    state = session(tmp_path, "budget={worth: {gain: 1e-9, per: worker_h}}", "search.samples=12")
    assert state.complete
    assert state.limit is None


def test_a_cost_on_an_axis_counts_every_seed(tmp_path: Path) -> None:
    state = session(tmp_path, "budget={worth: {gain: 1e6, per: TFLOP}}")
    assert state.limit is not None
    flops = [sum(report[2].costs.train_flops or 0 for report in t.reports) for t in state.trials.values() if t.ended]
    mean = sum(flops) / len(state.ended) / PAYMENTS["TFLOP"].amount
    assert state.limit.used == pytest.approx(gain_of_draws(scores_of(state), 1).mean / mean)
    assert len(state.ended) in {LEAST, LEAST + 1}


def test_a_search_that_learns_ends_so_too(tmp_path: Path) -> None:
    state = session(tmp_path, "search={name: tpe, samples: 60}", "budget={worth: {gain: 0.5, per: configuration}}")
    assert state.limit is not None
    assert state.limit.axis == WORTH
    assert not state.search_done


@pytest.mark.parametrize(
    ("worth", "place", "words"),
    [
        ("{gain: 0.001, per: kwh}", "budget.worth.per", "kWh"),
        ("{gain: 0, per: kWh}", "budget.worth.gain", "more than 0"),
        ("{per: kWh}", "budget.worth", "gain"),
        ("{gain: 0.1, per: kg}", "budget.worth.per", "carbon_g_per_kwh"),
        ("{gain: 0.1, per: money}", "budget.worth.per", "price"),
    ],
)
def test_what_is_wrong_with_it_is_said_at_its_place(worth: str, place: str, words: str) -> None:
    with pytest.raises(SweepFileError) as raised:
        a_plan(*RANDOM, f"budget={{worth: {worth}}}")
    assert any(problem.path.startswith(place) and words in str(problem) for problem in raised.value.problems)


@pytest.mark.parametrize(
    "scheduler", ["{name: sha}", "{name: asha_promotion}", "{name: seed_racing}", "{name: asha, seeds: [1, 2]}"]
)
def test_it_is_refused_where_those_that_have_ended_are_a_selection(scheduler: str) -> None:
    worth = "budget={worth: {gain: 1, per: configuration}}"
    with pytest.raises(SweepFileError) as raised:
        a_plan("search={name: random, samples: 9}", f"scheduler={scheduler}", worth)
    assert [problem.path for problem in raised.value.problems] == ["budget.worth"]


@pytest.mark.parametrize("scheduler", ["{name: asha}", "{name: median}", "{name: fifo}"])
def test_it_is_possible_where_all_end_in_their_turn(scheduler: str) -> None:
    worth = "budget={worth: {gain: 1, per: configuration}}"
    assert worth_limit(a_plan("search={name: random, samples: 9}", f"scheduler={scheduler}", worth)) is not None


PER = "search={name: random, samples: 9, per: training.batch_size}"


@pytest.mark.parametrize("setting", ["search={name: grid}", PER, "objectives=[score, wall_s]"])
def test_it_is_refused_where_nothing_can_be_expected(setting: str) -> None:
    rate = "training.learning_rate: {dist: uniform, low: 0.1, high: 0.2, steps: 2}"
    space = f"space={{training.batch_size: {{dist: choice, values: [8, 16]}}, {rate}}}"
    with pytest.raises(SweepFileError) as raised:
        a_plan(*RANDOM, space, setting, "budget={worth: {gain: 1, per: configuration}}")
    assert [problem.path for problem in raised.value.problems] == ["budget.worth"]
