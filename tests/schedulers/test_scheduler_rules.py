"""Every rule of the schedulers by hand."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import pytest
from scheduler_driving import drive, groups_of

from greenexp.errors import InputError, ReplayError, UnknownNameError
from greenexp.records.decision import Action, Verdict
from greenexp.schedulers import SCHEDULERS, Rung, build
from greenexp.schedulers.asha import Asha

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP


def one_by_one(name="asha", configurations=6, seeds=1, max_epochs=9, mode="max", **settings):
    return build({"name": name, **settings}, max_epochs=max_epochs, groups=groups_of(configurations, seeds), mode=mode)


# ------------------------------------------------------------------------------------------------ registry and settings


def test_the_registry_offers_the_four_names_with_cards():
    assert list(SCHEDULERS) == ["asha", "fifo", "hyperband", "sha"]
    for kind in SCHEDULERS.values():
        assert len(kind.__doc__.splitlines()) > 3


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Asha().reduction_factor = 2


def test_unknown_names_and_settings_are_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'asha'"):
        one_by_one("ascha")
    with pytest.raises(InputError, match=r"unknown setting 'grace_perod' \(did you mean 'grace_period'\?\)"):
        one_by_one(grace_perod=1)
    with pytest.raises(InputError, match=r"unknown setting 'per_trial'.*allowed: none"):
        one_by_one("fifo", per_trial=True)


def test_all_wrong_settings_are_reported_at_once():
    with pytest.raises(InputError, match=r"reduction_factor: .*greater than 1, got 1; grace_period: .*got 0"):
        one_by_one(reduction_factor=1, grace_period=0)


@pytest.mark.parametrize("name", ["sha", "asha", "hyperband"])
@pytest.mark.parametrize(
    ("settings", "configurations", "max_epochs", "reason"),
    [
        (
            {"grace_period": 9},
            9,
            9,
            "first rung, grace_period 9, is not below the last epoch, 9; raise training.epochs",
        ),
        ({}, 9, 1, "is not below the last epoch, 1"),
        ({}, 2, 9, r"of 2 to compare, 1/3 is less than one whole; compare at least 3, lower reduction_factor to 2"),
        ({}, 1, 9, "of 1 to compare, 1/3 is less than one whole; compare at least 3, or use scheduler fifo"),
        ({"reduction_factor": math.inf}, 9, 9, "reduction_factor"),
    ],
)
def test_a_scheduler_that_cannot_act_is_refused_with_the_reason(name, settings, configurations, max_epochs, reason):
    with pytest.raises(InputError, match=reason):
        one_by_one(name, configurations, max_epochs=max_epochs, **settings)


def test_hyperband_with_only_the_bracket_without_rungs_is_refused():
    with pytest.raises(InputError, match=r"training\.epochs 5 is below grace_period x reduction_factor = 6"):
        one_by_one("hyperband", 20, max_epochs=5, grace_period=2)
    one_by_one("hyperband", 20, max_epochs=6, grace_period=2)


def test_asha_brackets_that_cannot_act_are_refused():
    with pytest.raises(
        InputError, match=r"bracket 2 of 3 would have its first rung after the last.*lower brackets to 2"
    ):
        one_by_one(configurations=20, brackets=3)
    with pytest.raises(InputError, match="every bracket gets at most 2 of 4"):
        one_by_one(configurations=4, brackets=2)


def test_the_dataclasses_check_themselves_too():
    with pytest.raises(InputError, match="must be greater than 1"):
        Asha(reduction_factor=1).start(["a", "b", "c"], max_epochs=9)
    with pytest.raises(InputError, match="at least 1"):
        Asha(grace_period=0).start(["a", "b", "c"], max_epochs=9)


def test_groups_and_mode_are_checked():
    for groups, problem in [
        ({}, "at least one configuration"),
        ({"a": []}, "no trials"),
        ({"a": ["x"], "b": ["x"]}, "twice"),
        ({"a": ["x", "x"]}, "twice"),
    ]:
        with pytest.raises(InputError, match=problem):
            build({"name": "fifo"}, max_epochs=3, groups=groups, mode="max")
    with pytest.raises(InputError, match="max or min"):
        build({"name": "fifo"}, max_epochs=3, groups={"a": ["x"]}, mode="maximise")


# -------------------------------------------------------------------------------------------------------- bracket plans


def test_hyperband_has_the_brackets_of_the_paper():
    """Li et al. 2018 (JMLR), table of (n_i, r_i) for R = 81, eta = 3."""
    plan = one_by_one("hyperband", 81 + 34 + 15 + 8 + 5, max_epochs=81).bracket_plan()
    table = [[(rung.entering, rung.epoch) for rung in bracket.rungs] for bracket in plan]
    assert table == [
        [(81, 1), (27, 3), (9, 9), (3, 27)],
        [(34, 3), (11, 9), (3, 27)],
        [(15, 9), (5, 27)],
        [(8, 27)],
        [],
    ]
    last = [bracket.rungs[-1].going_on if bracket.rungs else bracket.units for bracket in plan]
    assert last == [1, 1, 1, 2, 5]


def test_hyperband_begins_again_and_runs_a_partly_filled_bracket():
    plan = one_by_one("hyperband", 9 + 5 + 3 + 4, max_epochs=9).bracket_plan()
    assert [bracket.units for bracket in plan] == [9, 5, 3, 4]
    assert plan[3].rungs == (Rung(1, 4, 1), Rung(3, 1, 1))


def test_hyperband_rungs_are_counted_down_from_the_last_epoch():
    plan = one_by_one("hyperband", 30, max_epochs=20).bracket_plan()  # s_max = 2: 20/9, 20/3
    assert [[rung.epoch for rung in bracket.rungs] for bracket in plan[:3]] == [[2, 7], [7], []]


@pytest.mark.parametrize(("max_epochs", "brackets"), [(243, 6), (242, 5), (9, 3), (8, 2)])
def test_the_number_of_halvings_is_exact_at_powers(max_epochs, brackets):
    plan = one_by_one("hyperband", 2000, max_epochs=max_epochs).bracket_plan()
    assert max(len(bracket.rungs) for bracket in plan) == brackets - 1


def test_sha_plan_and_epochs():
    scheduler = one_by_one("sha", 9, seeds=2, max_epochs=9)
    (bracket,) = scheduler.bracket_plan()
    assert bracket.rungs == (Rung(1, 9, 3), Rung(3, 3, 1))
    assert bracket.epochs == 9 * 1 + 3 * 2 + 1 * 6
    assert scheduler.expected_epochs.epochs == 42
    assert scheduler.expected_epochs.full == 162
    assert scheduler.expected_epochs.exact


def test_fractional_rungs_count_at_the_next_epoch_and_meet_only_once():
    (bracket,) = one_by_one("sha", 9, max_epochs=20, reduction_factor=2.5).bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [1, 3, 7, 16]  # 1, 2.5, 6.25, 15.6
    (bracket,) = one_by_one("sha", 9, max_epochs=14, grace_period=10, reduction_factor=1.1).bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [10, 11, 13]  # 10, 11, 12.1, 13.3


def test_fifo_plan_is_exact_and_asha_only_expected():
    fifo = one_by_one("fifo", 4, seeds=3)
    assert fifo.bracket_plan()[0].rungs == ()
    assert (fifo.expected_epochs.epochs, fifo.expected_epochs.exact) == (4 * 3 * 9, True)
    asha = one_by_one("asha", 6)
    assert not asha.bracket_plan()[0].exact
    assert not asha.expected_epochs.exact
    assert 6 < asha.expected_epochs.epochs < 6 * 9


def test_unequal_numbers_of_seeds_make_the_forecast_inexact():
    groups = {**groups_of(3), "more": ["more-0", "more-1"]}
    assert not build({"name": "sha"}, max_epochs=9, groups=groups, mode="max").expected_epochs.exact


@pytest.mark.parametrize(
    ("name", "seeds", "settings", "needed"),
    [
        ("fifo", 3, {}, False),
        ("asha", 1, {}, False),
        ("asha", 2, {}, True),
        ("asha", 2, {"per_trial": True}, False),
        ("sha", 1, {}, True),
        ("hyperband", 1, {}, True),
    ],
)
def test_needs_pausing(name, seeds, settings, needed):
    scheduler = one_by_one(name, 9, seeds, **settings)
    assert scheduler.needs_pausing is needed
    if not needed:
        outcome = drive(scheduler, {t: [0.1 * e for e in range(9)] for g in groups_of(9, seeds).values() for t in g})
        assert PAUSE not in {verdict.action for verdict in outcome.verdicts}


# ----------------------------------------------------------------------------------------------------------------- asha


def test_asha_stops_what_is_below_the_quantile_of_the_values_before_it():
    asha = one_by_one(reduction_factor=2)
    said = [asha.decide(f"c{i:03d}-i0", 1, value).own for i, value in enumerate([0.4, 0.3, 0.8, 0.4, 0.41])]
    assert [verdict.action for verdict in said] == [GO_ON, STOP, GO_ON, GO_ON, GO_ON]
    assert [verdict.cutoff for verdict in said] == [None, 0.4, pytest.approx(0.35), 0.4, 0.4]
    assert [verdict.value for verdict in said] == [0.4, 0.3, 0.8, 0.4, 0.41]
    assert {verdict.rung for verdict in said} == {1}
    assert said[1].reason == "not within the best 1/2 of the 1 before it"


def test_between_rungs_and_at_the_end_trials_go_on_without_a_verdict():
    asha = one_by_one()
    for epoch in (1, 3):
        asha.decide("c000-i0", epoch, 0.5)
    for epoch in (2, 4, 8, 9, 10):
        assert asha.decide("c000-i0", epoch, math.nan).own == Verdict("c000-i0", GO_ON)


def test_minimising_mirrors_maximising():
    asha = one_by_one(mode="min", reduction_factor=2)
    said = [asha.decide(f"c{i:03d}-i0", 1, value).own for i, value in enumerate([0.4, 0.5, 0.2])]
    assert [verdict.action for verdict in said] == [GO_ON, STOP, GO_ON]
    assert said[1].cutoff == 0.4
    assert said[1].value == 0.5


def test_asha_deals_units_to_brackets_in_equal_shares_by_its_seed_alone():
    def bracket_of_each(seed):
        scheduler = one_by_one("asha", 30, brackets=2, bracket_seed=seed)
        return [scheduler.decide(f"c{i:03d}-i0", 1, 0.5).own.rung for i in range(30)]

    dealt = bracket_of_each(0)
    assert dealt == bracket_of_each(0)
    assert dealt != bracket_of_each(1)
    assert all(sorted(pair, key=str) == [1, None] for pair in zip(dealt[::2], dealt[1::2], strict=True))


def test_asha_and_fifo_accept_later_configurations():
    asha = one_by_one(configurations=3, seeds=2)
    asha.enter("late", ["late-0", "late-1"])
    assert asha.decide("late-0", 1, 0.5).action is PAUSE
    assert asha.decide("late-1", 1, 0.5).action is GO_ON
    assert asha.bracket_plan()[0].units == 4
    with pytest.raises(InputError, match="already in the sweep"):
        asha.enter("late", ["late-2"])
    fifo = one_by_one("fifo", 1, 1)
    fifo.enter("c000", ["c000-i1"])
    assert fifo.decide("c000-i1", 1, 0.1).action is GO_ON
    assert fifo.expected_epochs.full == 18


@pytest.mark.parametrize("name", ["sha", "hyperband"])
def test_synchronous_brackets_refuse_later_configurations(name):
    scheduler = one_by_one(name)
    before = scheduler.state()
    with pytest.raises(InputError, match="use asha or fifo"):
        scheduler.enter("late", ["late-0"])
    assert scheduler.state() == before


# ------------------------------------------------------------------------------------------------------- sha, hyperband


def test_sha_pauses_all_and_lets_the_best_third_go_on():
    sha = one_by_one("sha", 6)
    values = [0.2, 0.6, 0.4, 0.1, 0.5]
    assert all(sha.decide(f"c{i:03d}-i0", 1, value).action is PAUSE for i, value in enumerate(values))
    last = sha.decide("c005-i0", 1, 0.3)
    assert last.action is STOP
    assert [verdict.trial for verdict in last.others if verdict.action is GO_ON] == ["c001-i0", "c004-i0"]
    assert {verdict.cutoff for verdict in last.verdicts} == {0.5}
    assert last.others[1].reason == "rank 1 of 6, 2 go on"
    assert sha.decide("c001-i0", 3, 0.6).action is PAUSE


def test_ties_go_to_the_earlier_in_the_plan_whatever_the_order_of_arrival():
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        sha = one_by_one("sha", 3)
        for i in order:
            last = sha.decide(f"c{i:03d}-i0", 1, 0.5)
        assert [verdict.trial for verdict in last.verdicts if verdict.action is GO_ON] == ["c000-i0"]


def test_brackets_do_not_wait_for_each_other():
    hyperband = one_by_one("hyperband", 14, max_epochs=9)  # 9 from epoch 1, 5 from epoch 3
    decisions = [hyperband.decide(f"c{i:03d}-i0", 1, i / 10) for i in range(9)]
    assert decisions[-1].action is GO_ON
    assert hyperband.decide("c010-i0", 1, 0.0).own == Verdict("c010-i0", GO_ON)
    assert hyperband.decide("c010-i0", 3, 0.0).own.bracket == 1


# ------------------------------------------------------------------------------------------------- seeds and failures


def test_seeds_wait_for_each_other_and_share_the_verdict_on_their_mean():
    asha = one_by_one("asha", 3, seeds=2)
    first = asha.decide("c000-i0", 1, 0.2).own
    assert (first.action, first.value, first.rung) == (PAUSE, None, 1)
    assert first.reason == "waits for 1 other seeds of its configuration"
    both = asha.decide("c000-i1", 1, 0.6)
    assert [(v.trial, v.action, v.value) for v in both.verdicts] == [("c000-i1", GO_ON, 0.4), ("c000-i0", GO_ON, 0.4)]
    asha.decide("c001-i1", 1, 0.5)
    both = asha.decide("c001-i0", 1, 0.2)
    assert {(v.action, v.value, v.cutoff) for v in both.verdicts} == {(STOP, 0.35, 0.4)}


def test_per_trial_judges_every_trial_alone():
    asha = one_by_one("asha", 3, seeds=2, per_trial=True)
    assert asha.decide("c000-i0", 1, 0.6).action is GO_ON
    assert asha.decide("c000-i1", 1, 0.2).action is STOP


def test_a_failed_seed_takes_its_waiting_siblings_with_it():
    asha = one_by_one("asha", 3, seeds=3)
    asha.decide("c000-i0", 1, 0.9)
    (released,) = asha.withdraw("c000-i1", "loss became nan at step 7")
    assert (released.trial, released.action, released.value) == ("c000-i0", STOP, None)
    assert released.reason == "c000-i1 failed: loss became nan at step 7"
    late = asha.decide("c000-i2", 1, 0.9).own
    assert (late.action, late.reason, late.rung) == (STOP, released.reason, 1)
    assert asha.withdraw("c000-i1", "again") == ()
    assert asha.withdraw("c000-i2", "too late to matter") == ()


def test_a_seed_that_fails_between_rungs_stops_the_others_at_the_next_rung():
    asha = one_by_one("asha", 3, seeds=2)
    for trial in ("c000-i0", "c000-i1"):
        asha.decide(trial, 1, 0.9)
    assert asha.withdraw("c000-i0", "out of memory") == ()
    assert asha.decide("c000-i1", 2, 0.9).action is GO_ON
    assert asha.decide("c000-i1", 3, 0.9).action is STOP


def test_a_seed_that_fails_after_the_last_rung_stops_nobody():
    asha = one_by_one("asha", 3, seeds=2)
    for epoch in (1, 3):
        for trial in ("c000-i0", "c000-i1"):
            asha.decide(trial, epoch, 0.9)
    assert asha.withdraw("c000-i0", "out of memory") == ()
    assert asha.decide("c000-i1", 8, 0.9).action is GO_ON


def test_a_failure_releases_the_synchronous_rung_that_waited_for_it():
    sha = one_by_one("sha", 3, seeds=1)
    sha.decide("c000-i0", 1, 0.1)
    sha.decide("c001-i0", 1, 0.2)
    verdicts = sha.withdraw("c002-i0", "lost")
    assert [(v.trial, v.action) for v in verdicts] == [("c000-i0", STOP), ("c001-i0", GO_ON)]


def test_failed_units_count_in_the_rung_but_take_no_place():
    sha = one_by_one("sha", 9)
    for i in range(5):
        assert sha.withdraw(f"c{i:03d}-i0", "lost") == ()
    for i in range(5, 8):
        sha.decide(f"c{i:03d}-i0", 1, i / 10)
    last = sha.decide("c008-i0", 1, 0.1)
    assert [v.trial for v in last.verdicts if v.action is GO_ON] == ["c005-i0", "c006-i0", "c007-i0"]


def test_a_rung_of_nothing_but_failures_ends_the_bracket():
    sha = one_by_one("sha", 3, seeds=2)
    assert [v for i in range(3) for v in sha.withdraw(f"c{i:03d}-i0", "lost")] == []
    assert all(sha.decide(f"c{i:03d}-i1", 1, 0.5).action is STOP for i in range(3))


def test_a_unit_that_waits_for_others_can_still_lose_a_seed():
    sha = one_by_one("sha", 3, seeds=2)
    for i in (0, 1):
        for s in (0, 1):
            sha.decide(f"c{i:03d}-i{s}", 1, 0.9 - i / 10)
    (sibling,) = sha.withdraw("c000-i0", "checkpoint lost")
    assert (sibling.trial, sibling.action) == ("c000-i1", STOP)
    sha.decide("c002-i0", 1, 0.1)
    last = sha.decide("c002-i1", 1, 0.1)
    assert {v.trial for v in last.verdicts if v.action is GO_ON} == {"c001-i0", "c001-i1"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_counts_as_a_failure_at_this_rung(value):
    asha = one_by_one("asha", 3, seeds=2)
    asha.decide("c000-i0", 1, 0.9)
    decision = asha.decide("c000-i1", 1, value)
    assert [(v.trial, v.action, v.value) for v in decision.verdicts] == [
        ("c000-i1", STOP, None),
        ("c000-i0", STOP, None),
    ]
    assert f"c000-i1 scored {value} at epoch 1" in decision.own.reason
    assert asha.decide("c000-i1", 1, value).own == decision.own


def test_failures_count_below_every_number_in_the_cutoffs_of_asha():
    asha = one_by_one("asha", 6, reduction_factor=2)
    asha.withdraw("c000-i0", "lost")
    worst = asha.decide("c001-i0", 1, -1e300).own
    assert (worst.action, worst.cutoff) == (GO_ON, None)
    assert asha.decide("c002-i0", 1, -2e300).action is GO_ON  # the median of -inf and -1e300 is -inf
    assert asha.decide("c003-i0", 1, -3e300).action is STOP


def test_fifo_stops_nobody():
    fifo = one_by_one("fifo", 2, seeds=2)
    assert fifo.withdraw("c000-i0", "lost") == ()
    assert all(fifo.decide("c000-i1", epoch, math.nan).action is GO_ON for epoch in range(1, 10))


# ------------------------------------------------------------------------------------------- repeated reports and state


def test_a_repeated_report_gets_the_verdict_already_taken():
    sha = one_by_one("sha", 3)
    sha.decide("c000-i0", 1, 0.3)
    assert sha.decide("c000-i0", 1, 0.3).action is PAUSE
    sha.decide("c001-i0", 1, 0.2)
    sha.decide("c002-i0", 1, 0.1)
    again = sha.decide("c000-i0", 1, 0.3)
    assert (again.action, again.others) == (GO_ON, ())
    assert sha.decide("c001-i0", 1, 0.2).action is STOP


def test_a_repeated_report_with_another_value_is_an_error():
    asha = one_by_one()
    asha.decide("c000-i0", 1, 0.3)
    with pytest.raises(ReplayError, match=r"reports 0\.31 at epoch 1, but 0\.3 before, on which 'go_on' was decided"):
        asha.decide("c000-i0", 1, 0.31)
    with pytest.raises(ReplayError):
        asha.decide("c000-i0", 1, math.nan)


def test_reports_that_cannot_be_are_errors():
    sha = one_by_one("sha", 3)
    with pytest.raises(ReplayError, match="not told of a trial 'x'"):
        sha.decide("x", 1, 0.1)
    with pytest.raises(ReplayError, match="not told of a trial 'x'"):
        sha.withdraw("x", "lost")
    with pytest.raises(ReplayError, match="but not epoch 1, where it is judged"):
        sha.decide("c000-i0", 2, 0.1)
    sha.decide("c000-i0", 1, 0.1)
    with pytest.raises(ReplayError, match="although it was paused at epoch 1"):
        sha.decide("c000-i0", 2, 0.1)


def test_a_stopped_trial_that_reports_again_is_stopped_again():
    asha = one_by_one()
    asha.decide("c000-i0", 1, 0.9)
    asha.decide("c001-i0", 1, 0.1)
    assert asha.decide("c001-i0", 2, 0.1).action is STOP


def test_the_state_belongs_to_one_sweep():
    state = one_by_one("sha", 6).state()
    json.dumps(state, allow_nan=False)
    for other, what in [
        (one_by_one("asha", 6), "scheduler"),
        (one_by_one("sha", 6, reduction_factor=2), "scheduler"),
        (one_by_one("sha", 7), "groups"),
        (one_by_one("sha", 6, mode="min"), "mode"),
        (one_by_one("sha", 6, max_epochs=27), "max_epochs"),
    ]:
        with pytest.raises(ReplayError, match=f"another sweep: {what} differ"):
            other.restore(state)


def test_restoring_forgets_what_was_there():
    used, fresh = one_by_one("sha", 3), one_by_one("sha", 3)
    empty = fresh.state()
    used.decide("c000-i0", 1, 0.3)
    used.restore(empty)
    assert used.state() == empty
    assert used.decide("c000-i0", 1, 0.9).action is PAUSE
