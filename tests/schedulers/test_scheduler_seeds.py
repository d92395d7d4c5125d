"""Seeds, failures, repeated reports and state, by hand."""

from __future__ import annotations

import json
import math
from itertools import permutations

import pytest
from scheduler_driving import scheduler_for
from told import tells

from greenexp.errors import ReplayError
from greenexp.records.decision import Action

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP


# ------------------------------------------------------------------------------------------------- seeds and failures


def test_seeds_wait_for_each_other_and_share_the_verdict_on_their_mean():
    asha = scheduler_for("asha", 3, seeds=2)
    first = asha.decide("c000-i0", 1, 0.2).own
    assert (first.action, first.value, first.rung) == (PAUSE, None, 1)
    assert tells(first.reason, "1 of … 2 seeds")
    both = asha.decide("c000-i1", 1, 0.6)
    assert [(v.trial, v.action, v.value) for v in both.verdicts] == [("c000-i1", GO_ON, 0.4), ("c000-i0", GO_ON, 0.4)]
    asha.decide("c001-i1", 1, 0.5)
    both = asha.decide("c001-i0", 1, 0.2)
    assert {(v.action, v.value, v.cutoff) for v in both.verdicts} == {(STOP, 0.35, 0.4)}


def test_the_mean_does_not_depend_on_the_order_in_which_seeds_report():
    values = {"c000-i0": 0.1, "c000-i1": 0.2, "c000-i2": 0.3}  # 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    means = set()
    for order in permutations(values):
        asha = scheduler_for("asha", 3, seeds=3)
        means.add([asha.decide(trial, 1, values[trial]).own.value for trial in order][-1])
    assert len(means) == 1


def test_per_trial_judges_every_trial_alone():
    asha = scheduler_for("asha", 3, seeds=2, per_trial=True)
    assert asha.decide("c000-i0", 1, 0.6).action is GO_ON
    assert asha.decide("c000-i1", 1, 0.2).action is STOP


def test_a_failed_seed_takes_its_waiting_siblings_with_it():
    asha = scheduler_for("asha", 3, seeds=3)
    asha.decide("c000-i0", 1, 0.9)
    (released,) = asha.withdraw("c000-i1", "loss became nan at step 7")
    assert (released.trial, released.action, released.value) == ("c000-i0", STOP, None)
    assert tells(released.reason, "c000-i1 … loss became nan at step 7")
    late = asha.decide("c000-i2", 1, 0.9).own
    assert (late.action, late.reason, late.rung) == (STOP, released.reason, 1)
    before = asha.state()
    assert asha.withdraw("c000-i1", "again") == ()
    assert asha.state() == before
    assert asha.withdraw("c000-i2", "too late to matter") == ()
    restored = scheduler_for("asha", 3, seeds=3)
    restored.restore(asha.state())
    with pytest.raises(ReplayError, match=r"c000-i2.*0\.8 at epoch 1.*0\.9"):
        restored.decide("c000-i2", 1, 0.8)


def test_a_seed_that_fails_between_rungs_stops_the_others_at_the_next_rung():
    asha = scheduler_for("asha", 3, seeds=2)
    for trial in ("c000-i0", "c000-i1"):
        asha.decide(trial, 1, 0.9)
    assert asha.withdraw("c000-i0", "out of memory") == ()
    assert asha.decide("c000-i1", 2, 0.9).action is GO_ON
    assert asha.decide("c000-i1", 3, 0.9).action is STOP


def test_a_seed_that_fails_after_the_last_rung_stops_nobody():
    asha = scheduler_for("asha", 3, seeds=2)
    for epoch in (1, 3):
        for trial in ("c000-i0", "c000-i1"):
            asha.decide(trial, epoch, 0.9)
    assert asha.withdraw("c000-i0", "out of memory") == ()
    assert asha.decide("c000-i1", 8, 0.9).action is GO_ON


def test_a_failure_releases_the_synchronous_rung_that_waited_for_it():
    sha = scheduler_for("sha", 3, seeds=1)
    sha.decide("c000-i0", 1, 0.1)
    sha.decide("c001-i0", 1, 0.2)
    verdicts = sha.withdraw("c002-i0", "lost")
    assert [(v.trial, v.action) for v in verdicts] == [("c000-i0", STOP), ("c001-i0", GO_ON)]


def test_failed_units_count_in_the_rung_but_take_no_place():
    sha = scheduler_for("sha", 9)
    for i in range(5):
        assert sha.withdraw(f"c{i:03d}-i0", "lost") == ()
    for i in range(5, 8):
        sha.decide(f"c{i:03d}-i0", 1, i / 10)
    last = sha.decide("c008-i0", 1, 0.1)
    assert [v.trial for v in last.verdicts if v.action is GO_ON] == ["c005-i0", "c006-i0", "c007-i0"]


def test_a_rung_of_nothing_but_failures_ends_the_bracket():
    sha = scheduler_for("sha", 3, seeds=2)
    assert [v for i in range(3) for v in sha.withdraw(f"c{i:03d}-i0", "lost")] == []
    assert all(sha.decide(f"c{i:03d}-i1", 1, 0.5).action is STOP for i in range(3))


def test_a_unit_that_waits_for_others_can_still_lose_a_seed():
    sha = scheduler_for("sha", 3, seeds=2)
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
    asha = scheduler_for("asha", 3, seeds=2)
    asha.decide("c000-i0", 1, 0.9)
    decision = asha.decide("c000-i1", 1, value)
    assert [(v.trial, v.action, v.value) for v in decision.verdicts] == [
        ("c000-i1", STOP, None),
        ("c000-i0", STOP, None),
    ]
    assert tells(decision.own.reason, f"c000-i1 … {value} … epoch 1")
    assert asha.decide("c000-i1", 1, value).own == decision.own


def test_failures_count_below_every_number_in_the_cutoffs_of_asha():
    asha = scheduler_for("asha", 6, reduction_factor=2)
    asha.withdraw("c000-i0", "lost")
    worst = asha.decide("c001-i0", 1, -1e300).own
    assert (worst.action, worst.cutoff) == (GO_ON, None)
    assert asha.decide("c002-i0", 1, -2e300).action is GO_ON  # the median of -inf and -1e300 is -inf
    assert asha.decide("c003-i0", 1, -3e300).action is STOP


def test_fifo_stops_nobody():
    fifo = scheduler_for("fifo", 2, seeds=2)
    assert fifo.withdraw("c000-i0", "lost") == ()
    assert all(fifo.decide("c000-i1", epoch, math.nan).action is GO_ON for epoch in range(1, 10))


# ------------------------------------------------------------------------------------------- repeated reports and state


def test_a_repeated_report_gets_the_verdict_already_taken():
    sha = scheduler_for("sha", 3)
    sha.decide("c000-i0", 1, 0.3)
    assert sha.decide("c000-i0", 1, 0.3).action is PAUSE
    sha.decide("c001-i0", 1, 0.2)
    sha.decide("c002-i0", 1, 0.1)
    again = sha.decide("c000-i0", 1, 0.3)
    assert (again.action, again.others) == (GO_ON, ())
    assert sha.decide("c001-i0", 1, 0.2).action is STOP


def test_a_repeated_report_with_another_value_is_an_error():
    asha = scheduler_for()
    asha.decide("c000-i0", 1, 0.3)
    with pytest.raises(ReplayError, match=r"0\.31 at epoch 1.*0\.3 .*'go_on'"):
        asha.decide("c000-i0", 1, 0.31)
    with pytest.raises(ReplayError):
        asha.decide("c000-i0", 1, math.nan)


def test_reports_that_cannot_be_are_errors():
    sha = scheduler_for("sha", 3)
    with pytest.raises(ReplayError, match="trial 'x'"):
        sha.decide("x", 1, 0.1)
    with pytest.raises(ReplayError, match="trial 'x'"):
        sha.withdraw("x", "lost")
    with pytest.raises(ReplayError, match="epoch 1"):
        sha.decide("c000-i0", 2, 0.1)
    sha.decide("c000-i0", 1, 0.1)
    with pytest.raises(ReplayError, match="paused at epoch 1"):
        sha.decide("c000-i0", 2, 0.1)


def test_a_stopped_trial_that_reports_again_is_stopped_again():
    asha = scheduler_for()
    asha.decide("c000-i0", 1, 0.9)
    asha.decide("c001-i0", 1, 0.1)
    assert asha.decide("c001-i0", 2, 0.1).action is STOP
    assert asha.decide("c001-i0", 9, 0.1).action is STOP


def test_the_state_belongs_to_one_sweep():
    state = scheduler_for("sha", 6).state()
    json.dumps(state, allow_nan=False)
    for other, what in [
        (scheduler_for("asha", 6), "scheduler"),
        (scheduler_for("sha", 6, reduction_factor=2), "scheduler"),
        (scheduler_for("sha", 7), "groups"),
        (scheduler_for("sha", 6, mode="min"), "mode"),
        (scheduler_for("sha", 6, max_epochs=27), "max_epochs"),
    ]:
        with pytest.raises(ReplayError, match=f"{what}"):
            other.restore(state)


def test_restoring_forgets_what_was_there():
    used, fresh = scheduler_for("sha", 3), scheduler_for("sha", 3)
    empty = fresh.state()
    used.decide("c000-i0", 1, 0.3)
    used.restore(empty)
    assert used.state() == empty
    assert used.decide("c000-i0", 1, 0.9).action is PAUSE
