"""How long a trial may be silent, by a clock that the test turns."""

from __future__ import annotations

from greenexp.records.foreseen import LEAST_S, MARGIN
from greenexp.tuning.silence import UNKNOWN_S, Silence


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_trial_is_overdue_once_after_the_stated_time() -> None:
    clock = Clock()
    silence = Silence(60.0, clock=clock)
    silence.began("a")
    silence.began("b")
    clock.now += 50
    silence.heard("b")
    clock.now += 11
    late = silence.overdue()
    assert list(late) == ["a"]
    assert "no_report_limit" in late["a"]
    assert silence.overdue() == {}
    clock.now += 50
    assert list(silence.overdue()) == ["b"]


def test_nobody_waits_for_a_trial_that_has_no_worker() -> None:
    clock = Clock()
    silence = Silence(60.0, clock=clock)
    silence.began("a")
    silence.ended("a")
    silence.ended("never there")
    clock.now += 1e6
    assert silence.overdue() == {}


def test_without_a_stated_time_it_follows_from_the_longest_report_of_the_trial() -> None:
    clock = Clock()
    silence = Silence(None, [("known", 5.0), ("known", 900.0)], clock=clock)
    silence.began("a")
    assert silence.limit_s("a") == UNKNOWN_S
    clock.now += 3
    silence.heard("a")
    assert silence.limit_s("a") == LEAST_S, "ten times three seconds would give up a worker for a pause of the machine"
    clock.now += 70
    silence.heard("a")
    clock.now += 1
    silence.heard("a")
    assert silence.limit_s("a") == MARGIN * 70
    assert silence.limit_s("known") == MARGIN * 900, "what earlier sessions took is known"
    assert silence.limit_s("b") == UNKNOWN_S, "a trial may cost a hundred times what another does"


def test_a_price_in_seconds_says_how_long_the_first_report_may_take() -> None:
    clock = Clock()
    silence = Silence(None, [("costly", 40.0)], {"cheap": 0.5, "costly": 30.0}, clock=clock)
    assert silence.limit_s("cheap") == LEAST_S
    assert silence.limit_s("costly") == MARGIN * 40.0
    assert silence.limit_s("proposed later") == UNKNOWN_S
    silence.began("costly")
    clock.now += MARGIN * 40.0 + 1
    assert list(silence.overdue()) == ["costly"]
    assert Silence(7.0, expected_s={"cheap": 500.0}).limit_s("cheap") == 7.0, "what was stated is heeded"
