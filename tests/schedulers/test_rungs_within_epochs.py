"""Rungs within an epoch: where they lie, and that a scheduler decides as it would if the reports were epochs."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of

from greenexp.errors import InputError
from greenexp.records.decision import Verdict
from greenexp.records.progress import epochs_at, report_at
from greenexp.schedulers import Scheduler, build
from greenexp.schedulers.rungs import downward_rungs, upward_rungs

REPORTS = st.sampled_from([1, 2, 3, 4, 10])


@given(st.integers(1, 40), st.integers(2, 5), st.integers(1, 20), st.integers(0, 2), REPORTS)
def test_upward_rungs_are_the_first_reports_at_or_after_each_power(
    grace_in_fortieths: int, eta: int, epochs: int, skip: int, per_epoch: int
) -> None:
    """By looking at every report, with exact fractions."""
    grace = Fraction(grace_in_fortieths, 40)
    expected = set()
    for power in range(skip, 12):
        due = grace * eta**power
        report = next((k for k in range(1, epochs * per_epoch) if Fraction(k, per_epoch) >= due), None)
        if report is not None:
            expected.add(report)
    found = upward_rungs(float(grace), eta, epochs, skip, per_epoch)
    assert [report_at(rung, per_epoch) for rung in found] == sorted(expected)
    assert found == tuple(epochs_at(report_at(rung, per_epoch), per_epoch) for rung in found)


@given(st.integers(1, 5), st.sampled_from([2, 3, 4]), st.integers(2, 30), REPORTS)
def test_downward_rungs_are_the_nearest_reports(halvings: int, eta: int, epochs: int, per_epoch: int) -> None:
    end = epochs * per_epoch
    nearest = {math.floor(Fraction(end, eta**power) + Fraction(1, 2)) for power in range(1, halvings + 1)}
    found = downward_rungs(halvings, eta, epochs, per_epoch)
    assert [report_at(rung, per_epoch) for rung in found] == sorted(k for k in nearest if 1 <= k < end)


SIMULATED = ("asha_promotion", "median", "pasha")
"""Their expected counts are means over random orders, which other rungs draw anew."""


@st.composite
def sweeps(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["asha", "sha", "hyperband", *SIMULATED, "one_epoch"]))
    per_epoch = draw(st.sampled_from([2, 3, 4, 5]))
    grace = draw(st.integers(1, 4))  # in reports
    epochs = draw(st.integers(2, 6))
    return {
        "name": name, "per_epoch": per_epoch, "grace": grace, "epochs": epochs,
        "configurations": draw(st.integers(3, 9)), "seeds": draw(st.integers(1, 2)),
        "fails": draw(st.booleans()), "seed": draw(st.integers(0, 99)),
    }  # fmt: skip


class InReports:
    """A scheduler that is spoken to in numbers of reports."""

    def __init__(self, scheduler: Scheduler, per_epoch: int) -> None:
        self.scheduler, self.per_epoch = scheduler, per_epoch

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self.scheduler, name)
        if name in {"decide", "finish"}:
            return lambda trial, resource, value: ask(trial, epochs_at(resource, self.per_epoch), value)
        return ask


def built(made: dict[str, Any], epochs: int, grace: float, per_epoch: int) -> Scheduler:
    own = {"median": {"min_units": 2}, "one_epoch": {"keep": 2}}.get(made["name"], {"reduction_factor": 2})
    return build(
        {"name": made["name"], "grace_period": grace, **own},
        max_epochs=epochs,
        groups=groups_of(made["configurations"], made["seeds"]),
        mode="max",
        reports_per_epoch=per_epoch,
    )


@examples(max_examples=60, deadline=None)
@given(sweeps())
def test_it_decides_as_if_reports_were_epochs(made: dict[str, Any]) -> None:
    per_epoch, reports = made["per_epoch"], made["epochs"] * made["per_epoch"]
    try:
        whole = built(made, reports, made["grace"], 1)
    except InputError:
        with pytest.raises(InputError):
            built(made, made["epochs"], made["grace"] / per_epoch, per_epoch)
        return
    parts = built(made, made["epochs"], made["grace"] / per_epoch, per_epoch)
    rng = random.Random(made["seed"])
    trials = [trial for group in groups_of(made["configurations"], made["seeds"]).values() for trial in group]
    curves = {trial: [rng.random() for _ in range(reports)] for trial in trials}
    fails = {trials[0]: 2} if made["fails"] else {}
    expected = drive(whole, curves, seed=made["seed"], fails=fails)
    found = drive(InReports(parts, per_epoch), curves, seed=made["seed"], fails=fails)  # type: ignore[arg-type]
    assert found.ended == expected.ended

    def plain(verdict: Verdict, by: int) -> tuple[Any, ...]:
        rung = None if verdict.rung is None else report_at(verdict.rung, by)
        return verdict.trial, verdict.action, rung, verdict.value, verdict.cutoff, verdict.bracket

    assert [plain(one, per_epoch) for one in found.verdicts] == [plain(one, 1) for one in expected.verdicts]
    assert parts.expected_epochs.full * per_epoch == whole.expected_epochs.full
    rel = 0.1 if made["name"] in SIMULATED else 1e-6
    assert parts.expected_epochs.epochs * per_epoch == pytest.approx(whole.expected_epochs.epochs, rel=rel)


@pytest.mark.parametrize("name", ["asha", "sha", "hyperband", *SIMULATED, "one_epoch"])
def test_a_grace_period_before_the_first_report_is_refused(name: str) -> None:
    def begin(grace: float, per_epoch: int) -> Scheduler:
        return build(
            {"name": name, "grace_period": grace},
            max_epochs=9,
            groups=groups_of(9),
            mode="max",
            reports_per_epoch=per_epoch,
        )

    with pytest.raises(InputError, match=r"grace_period.*reports_per_epoch to at least 4"):
        begin(0.25, 1)
    with pytest.raises(InputError, match="grace_period"):
        begin(0.25, 3)
    assert begin(0.25, 4).bracket_plan()[0].rungs
    with pytest.raises(InputError, match="grace_period"):
        begin(-1, 4)


def test_whole_settings_stay_whole() -> None:
    """What is recorded of a scheduler is what it always was."""
    for written in (2, 2.0):
        scheduler = build(
            {"name": "asha", "grace_period": written},
            max_epochs=9,
            groups=groups_of(9),
            mode="max",
            reports_per_epoch=4,
        )
        recorded = scheduler.state()["scheduler"]["grace_period"]
        assert (recorded, type(recorded)) == (2, int)
        assert [(rung.epoch, type(rung.epoch)) for rung in scheduler.bracket_plan()[0].rungs] == [(2, int), (6, int)]


def test_a_scheduler_that_knows_whole_epochs_only_has_its_rungs_there() -> None:
    scheduler = build(
        {"name": "seed_racing"}, max_epochs=3, groups=groups_of(4, seeds=2), mode="max", reports_per_epoch=4
    )
    outcome = drive(
        InReports(scheduler, 4),  # type: ignore[arg-type]
        {f"c{c:03d}-i{s}": [c / 10 + e / 100 for e in range(12)] for c in range(4) for s in range(2)},
    )
    assert {end for end, _ in outcome.ended.values()} == {"finished", "stopped"}
