"""Settings, refusals, bracket plans and the rule of each scheduler, by hand."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from scheduler_driving import drive, groups_of, scheduler_for

from greenexp.errors import InputError, UnknownNameError
from greenexp.records.decision import Action, Verdict
from greenexp.schedulers import SCHEDULERS, Rung, build
from greenexp.schedulers.asha import Asha

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP


# ------------------------------------------------------------------------------------------------ registry and settings


def test_the_registry_offers_its_names_with_cards():
    assert list(SCHEDULERS) == [
        "asha", "asha_promotion", "fifo", "hyperband", "median", "mo_halving", "one_epoch", "pasha", "seed_racing",
        "sha",
    ]  # fmt: skip
    for kind in SCHEDULERS.values():
        assert len(kind.__doc__.splitlines()) > 3


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Asha().reduction_factor = 2


def test_unknown_names_and_settings_are_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="'asha'"):
        scheduler_for("ascha")
    with pytest.raises(InputError, match=r"'grace_perod'.*'grace_period'"):
        scheduler_for(grace_perod=1)
    with pytest.raises(InputError, match=r"'per_trial'.*allowed: none"):
        scheduler_for("fifo", per_trial=True)


def test_all_wrong_settings_are_reported_at_once():
    with pytest.raises(InputError, match=r"reduction_factor: .*got 1; grace_period: .*got 0"):
        scheduler_for(reduction_factor=1, grace_period=0)


@pytest.mark.parametrize("name", ["sha", "asha", "hyperband", "asha_promotion", "pasha"])
@pytest.mark.parametrize(
    ("settings", "configurations", "max_epochs", "reason"),
    [
        (
            {"grace_period": 9},
            9,
            9,
            "grace_period 9.* 9;.*training.epochs",
        ),
        ({}, 9, 1, "last epoch, 1"),
        ({}, 2, 9, "of 2 .*1/3.*at least 3.*reduction_factor to 2"),
        ({}, 1, 9, "of 1 .*1/3.*at least 3"),
        ({"reduction_factor": math.inf}, 9, 9, "reduction_factor"),
    ],
)
def test_a_scheduler_that_cannot_act_is_refused_with_the_reason(name, settings, configurations, max_epochs, reason):
    with pytest.raises(InputError, match=reason):
        scheduler_for(name, configurations, max_epochs=max_epochs, **settings)


def test_hyperband_with_only_the_bracket_without_rungs_is_refused():
    with pytest.raises(InputError, match=r"training\.epochs 5 .*= 6"):
        scheduler_for("hyperband", 20, max_epochs=5, grace_period=2)
    scheduler_for("hyperband", 20, max_epochs=6, grace_period=2)


def test_asha_brackets_that_cannot_act_are_refused():
    with pytest.raises(InputError, match=r"bracket 2 of 3.*brackets to 2"):
        scheduler_for(configurations=20, brackets=3)
    with pytest.raises(InputError, match="2 of 4"):
        scheduler_for(configurations=4, brackets=2)


def test_the_dataclasses_check_themselves_too():
    with pytest.raises(InputError, match="greater than 1"):
        Asha(reduction_factor=1).start(["a", "b", "c"], max_epochs=9)
    with pytest.raises(InputError, match="at least 1"):
        Asha(grace_period=0).start(["a", "b", "c"], max_epochs=9)


def test_groups_and_mode_are_checked():
    for groups, problem in [
        ({}, "configuration"),
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
    plan = scheduler_for("hyperband", 81 + 34 + 15 + 8 + 5, max_epochs=81).bracket_plan()
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
    plan = scheduler_for("hyperband", 9 + 5 + 3 + 4, max_epochs=9).bracket_plan()
    assert [bracket.units for bracket in plan] == [9, 5, 3, 4]
    assert plan[3].rungs == (Rung(1, 4, 1), Rung(3, 1, 1))


def test_hyperband_rungs_are_counted_down_from_the_last_epoch():
    plan = scheduler_for("hyperband", 30, max_epochs=20).bracket_plan()  # s_max = 2: 20/9, 20/3
    assert [[rung.epoch for rung in bracket.rungs] for bracket in plan[:3]] == [[2, 7], [7], []]


@pytest.mark.parametrize(("max_epochs", "brackets"), [(243, 6), (242, 5), (9, 3), (8, 2)])
def test_the_number_of_halvings_is_exact_at_powers(max_epochs, brackets):
    plan = scheduler_for("hyperband", 2000, max_epochs=max_epochs).bracket_plan()
    assert max(len(bracket.rungs) for bracket in plan) == brackets - 1


def test_sha_plan_and_epochs():
    scheduler = scheduler_for("sha", 9, seeds=2, max_epochs=9)
    (bracket,) = scheduler.bracket_plan()
    assert bracket.rungs == (Rung(1, 9, 3), Rung(3, 3, 1))
    assert bracket.epochs == 9 * 1 + 3 * 2 + 1 * 6
    assert scheduler.expected_epochs.epochs == 42
    assert scheduler.expected_epochs.full == 162
    assert scheduler.expected_epochs.exact


def test_fractional_rungs_count_at_the_next_epoch_and_meet_only_once():
    (bracket,) = scheduler_for("sha", 9, max_epochs=20, reduction_factor=2.5).bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [1, 3, 7, 16]  # 1, 2.5, 6.25, 15.6
    (bracket,) = scheduler_for("sha", 9, max_epochs=6, reduction_factor=1.3).bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [1, 2, 3, 4, 5]  # 1, 1.3, 1.69, 2.2, 2.9, 3.7, 4.8
    (bracket,) = scheduler_for("sha", 9, max_epochs=130, grace_period=100, reduction_factor=1.1).bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [100, 110, 121]  # in floating point slightly above


def test_fifo_plan_is_exact_and_asha_only_expected():
    fifo = scheduler_for("fifo", 4, seeds=3)
    assert fifo.bracket_plan()[0].rungs == ()
    assert (fifo.expected_epochs.epochs, fifo.expected_epochs.exact) == (4 * 3 * 9, True)
    asha = scheduler_for("asha", 6)
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
        ("asha_promotion", 1, {}, True),
        ("pasha", 1, {}, True),
        ("one_epoch", 1, {}, True),
        ("median", 1, {}, False),
        ("median", 2, {}, True),
    ],
)
def test_needs_pausing(name, seeds, settings, needed):
    scheduler = scheduler_for(name, 9, seeds, **settings)
    assert scheduler.needs_pausing is needed
    if not needed:
        outcome = drive(scheduler, {t: [0.1 * e for e in range(9)] for g in groups_of(9, seeds).values() for t in g})
        assert PAUSE not in {verdict.action for verdict in outcome.verdicts}


# ----------------------------------------------------------------------------------------------------------------- asha


def test_asha_stops_what_is_below_the_quantile_of_the_values_before_it():
    asha = scheduler_for(reduction_factor=2)
    said = [asha.decide(f"c{i:03d}-i0", 1, value).own for i, value in enumerate([0.4, 0.3, 0.8, 0.4, 0.41])]
    assert [verdict.action for verdict in said] == [GO_ON, STOP, GO_ON, GO_ON, GO_ON]
    assert [verdict.cutoff for verdict in said] == [None, 0.4, pytest.approx(0.35), 0.4, 0.4]
    assert [verdict.value for verdict in said] == [0.4, 0.3, 0.8, 0.4, 0.41]
    assert {verdict.rung for verdict in said} == {1}
    assert "1/2 of the 1 before" in said[1].reason


def test_between_rungs_and_at_the_end_trials_go_on_without_a_verdict():
    asha = scheduler_for()
    for epoch in (1, 3):
        asha.decide("c000-i0", epoch, 0.5)
    for epoch in (2, 4, 8, 9, 10):
        assert asha.decide("c000-i0", epoch, math.nan).own == Verdict("c000-i0", GO_ON)


def test_minimising_mirrors_maximising():
    asha = scheduler_for(mode="min", reduction_factor=2)
    said = [asha.decide(f"c{i:03d}-i0", 1, value).own for i, value in enumerate([0.4, 0.5, 0.2])]
    assert [verdict.action for verdict in said] == [GO_ON, STOP, GO_ON]
    assert said[1].cutoff == 0.4
    assert said[1].value == 0.5


def test_asha_deals_units_to_brackets_in_equal_shares_by_its_seed_alone():
    def bracket_of_each(seed):
        scheduler = scheduler_for("asha", 30, brackets=2, bracket_seed=seed)
        return [scheduler.decide(f"c{i:03d}-i0", 1, 0.5).own.rung for i in range(30)]

    dealt = bracket_of_each(0)
    assert dealt == bracket_of_each(0)
    assert dealt != bracket_of_each(1)
    assert all(sorted(pair, key=str) == [1, None] for pair in zip(dealt[::2], dealt[1::2], strict=True))


def test_asha_and_fifo_accept_later_configurations():
    asha = scheduler_for(configurations=3, seeds=2)
    asha.enter("late", ["late-0", "late-1"])
    assert asha.decide("late-0", 1, 0.5).action is PAUSE
    assert asha.decide("late-1", 1, 0.5).action is GO_ON
    assert asha.bracket_plan()[0].units == 4
    restored = scheduler_for(configurations=3, seeds=2)
    restored.restore(asha.state())
    assert restored.bracket_plan() == asha.bracket_plan()
    with pytest.raises(InputError, match="already"):
        asha.enter("late", ["late-2"])
    fifo = scheduler_for("fifo", 1, 1)
    fifo.enter("c000", ["c000-i1"])
    assert fifo.decide("c000-i1", 1, 0.1).action is GO_ON
    assert fifo.expected_epochs.full == 18


def an_open(name, later, **settings):
    return build({"name": name, **settings}, max_epochs=9, groups={"c000": ["c000-i0"]}, mode="max", later=later)


def test_a_bracket_is_judged_when_it_is_full_and_not_before():
    sha = an_open("sha", 5)
    assert sha.decide("c000-i0", 1, 0.1).action is PAUSE
    for i in range(1, 5):
        sha.enter(f"c{i:03d}", [f"c{i:03d}-i0"])
        assert [v.action for v in sha.decide(f"c{i:03d}-i0", 1, i / 10).verdicts] == [PAUSE]
    sha.enter("c005", ["c005-i0"])
    assert sha.withdraw("c004-i0", "died") == (), "c004 waits no more, and c005 has not come"
    last = sha.decide("c005-i0", 1, 0.05)
    assert last.action is STOP
    assert [v.trial for v in last.others if v.action is GO_ON] == ["c002-i0", "c003-i0"]
    assert "of 6, 2 go on" in last.others[0].reason


@pytest.mark.parametrize("arrive_first", [True, False])
def test_a_bracket_that_fewer_come_to_is_judged_when_the_search_is_done(arrive_first):
    sha = an_open("sha", 8)
    sha.enter("c001", ["c001-i0"])
    sha.enter("c002", ["c002-i0"])
    names = ["c000-i0", "c001-i0", "c002-i0"]
    said = [sha.decide(name, 1, i / 10) for i, name in enumerate(names)] if arrive_first else []
    assert {one.action for one in said} <= {PAUSE}
    verdicts = sha.close()
    if not arrive_first:
        assert verdicts == ()
        verdicts = [sha.decide(name, 1, i / 10) for i, name in enumerate(names)][-1].verdicts
    assert {v.trial: v.action for v in verdicts} == {"c000-i0": STOP, "c001-i0": STOP, "c002-i0": GO_ON}
    assert sha.close() == ()
    with pytest.raises(InputError, match="full"):
        sha.enter("late", ["late-0"])
    assert sha.bracket_plan()[0].units == 3


def test_hyperband_fills_its_brackets_in_the_order_in_which_configurations_enter():
    hyperband = an_open("hyperband", 16)  # brackets of 9, 5 and 3
    for i in range(1, 11):
        hyperband.enter(f"c{i:03d}", [f"c{i:03d}-i0"])
    assert hyperband.decide("c008-i0", 1, 0.5).own.bracket == 0
    assert hyperband.decide("c009-i0", 1, 0.5).own == Verdict("c009-i0", GO_ON)
    assert hyperband.decide("c010-i0", 3, 0.5).own.bracket == 1
    assert [bracket.units for bracket in hyperband.bracket_plan()] == [9, 5, 3]
    hyperband.close()
    assert [bracket.units for bracket in hyperband.bracket_plan()] == [9, 2]


@pytest.mark.parametrize("name", ["sha", "hyperband", "one_epoch"])
def test_a_number_that_is_not_known_is_refused(name):
    with pytest.raises(InputError, match=f"{name} must know how many"):
        an_open(name, math.inf)


@pytest.mark.parametrize("name", ["sha", "hyperband"])
def test_synchronous_brackets_refuse_later_configurations(name):
    scheduler = scheduler_for(name)
    before = scheduler.state()
    with pytest.raises(InputError, match="no configuration waits"):
        scheduler.enter("late", ["late-0"])
    assert scheduler.state() == before


# ------------------------------------------------------------------------------------------------------- sha, hyperband


def test_sha_pauses_all_and_lets_the_best_third_go_on():
    sha = scheduler_for("sha", 6)
    values = [0.2, 0.6, 0.4, 0.1, 0.5]
    assert all(sha.decide(f"c{i:03d}-i0", 1, value).action is PAUSE for i, value in enumerate(values))
    last = sha.decide("c005-i0", 1, 0.3)
    assert last.action is STOP
    assert [verdict.trial for verdict in last.others if verdict.action is GO_ON] == ["c001-i0", "c004-i0"]
    assert {verdict.cutoff for verdict in last.verdicts} == {0.5}
    assert last.others[1].reason.startswith("rank 1 of 6, 2 ")
    assert sha.decide("c001-i0", 3, 0.6).action is PAUSE


def test_ties_go_to_the_earlier_in_the_plan_whatever_the_order_of_arrival():
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        sha = scheduler_for("sha", 3)
        for i in order:
            last = sha.decide(f"c{i:03d}-i0", 1, 0.5)
        assert [verdict.trial for verdict in last.verdicts if verdict.action is GO_ON] == ["c000-i0"]


def test_brackets_do_not_wait_for_each_other():
    hyperband = scheduler_for("hyperband", 14, max_epochs=9)  # 9 from epoch 1, 5 from epoch 3
    decisions = [hyperband.decide(f"c{i:03d}-i0", 1, i / 10) for i in range(9)]
    assert decisions[-1].action is GO_ON
    assert hyperband.decide("c010-i0", 1, 0.0).own == Verdict("c010-i0", GO_ON)
    assert hyperband.decide("c010-i0", 3, 0.0).own.bracket == 1
