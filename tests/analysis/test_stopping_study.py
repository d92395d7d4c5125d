"""The study of early stopping: what it refuses, what it leaves out, and one look in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from greenexp.analysis.stopping.early_stopping import early_stopping_cdf
from greenexp.analysis.stopping.options import StoppingOptions
from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.analysis.stopping.study import stopping_study
from greenexp.errors import InputError


def curves(units: int = 30, parts: int = 9, minimize: bool = False, best_so_far: bool = True) -> RecordedCurves:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.3, 0.9, (units, 1)) * (1 - np.exp(-np.arange(1, parts + 1) / 3))
    scores = scores + rng.normal(0, 0.03, (units, parts))
    scores = np.maximum.accumulate(scores, axis=1) if best_so_far else scores
    costs = np.arange(1.0, parts + 1) * np.ones((units, 1))
    return RecordedCurves(tuple(f"u{k}" for k in range(units)), -scores if minimize else scores, costs, minimize)


def test_the_verdict_reads_the_table() -> None:
    findings = stopping_study(curves(), StoppingOptions(trials=(9,), repeats=50))
    assert findings.refusal == ""
    rows = findings["searches"].set_index("scheduler")
    assert list(rows.index) == [
        "fifo", "asha", "asha_promotion", "hyperband", "median", "one_epoch", "pasha", "sha",
    ], "the first stops no unit"  # fmt: skip
    assert len(findings.verdict) == 7
    share = 100 * (1 - rows.loc["sha", "saved"])
    assert f"at {share:.0f} % of their cost" in findings.verdict[6]
    assert findings["settings"]["scheduler"].tolist() == list(rows.index)
    assert len(findings["full"]) == 30


def test_a_default_scheduler_that_could_stop_nothing_is_left_out() -> None:
    findings = stopping_study(curves(), StoppingOptions(trials=(2,), repeats=5))
    assert "sha" in findings.refusal
    some = stopping_study(curves(), StoppingOptions(trials=(3,), grace_period=4, repeats=5))
    assert "hyperband" not in set(some["searches"]["scheduler"])
    assert any(note.startswith("hyperband is left out") for note in some.notes)
    with pytest.raises(InputError, match="hyperband"):
        stopping_study(curves(), StoppingOptions(schedulers=("hyperband",), trials=(3,), grace_period=4, repeats=5))


@pytest.mark.parametrize("minimize", [False, True])
def test_one_look_is_the_closed_form(minimize: bool) -> None:
    recorded = curves(minimize=minimize)
    table = stopping_study(recorded, StoppingOptions(trials=(9, 18), repeats=5))["one_look"]
    assert len(table) == 2 * 8
    row = table[(table["trials"] == 9) & (table["part"] == 3)].iloc[0]
    exact = early_stopping_cdf(recorded.scores[:, 2], recorded.final, 9, 3, minimize)
    assert row["expected_best"] == pytest.approx((exact["score"] * exact["probability"]).sum())
    assert row["share_of_full"] == pytest.approx(3 / 9 + 6 / 9 * 3 / 9)
    fallen = stopping_study(curves(best_so_far=False), StoppingOptions(trials=(9,), repeats=5))["one_look"]
    assert fallen.empty, "the closed form needs best scores so far"


@pytest.mark.parametrize(
    "options",
    [
        {"trials": (0,)},
        {"workers": 0},
        {"repeats": 0},
        {"schedulers": ()},
        {"schedulers": ("ash",)},
        {"epsilon": -0.1},
    ],
)
def test_options_that_are_not_possible(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        StoppingOptions(**options)  # type: ignore[arg-type]
