"""How long a sweep is expected to go on, from made-up journals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_ins import EPOCHS, a_record, a_trial

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.sources.following import FollowedSweep
from greenexp.sources.forecast import ENOUGH, PRIOR, Forecast

TRIALS = [a_trial(configuration, 0, 1) for configuration in range(4)]
TOTAL = EPOCHS * len(TRIALS)
PRICED = {
    "epochs": {"low": TOTAL / 3, "expected": TOTAL / 2, "high": TOTAL, "source": ""},
    "wall_s": {"low": 100.0, "expected": 200.0, "high": 400.0, "source": "4 trials of s"},
}


def expected(
    folder: Path,
    epochs: int,
    seconds: float,
    *,
    price: dict[str, Any] | None = None,
    budget: dict[str, float] | None = None,
    begun: bool = True,
    start_up: float = 0.0,
    **header: Any,
) -> Forecast:
    """Of a sweep of four trials of nine epochs, after some of them, which took `seconds` after its start-up."""
    times = [0.0] * (1 + len(TRIALS) + begun)
    done = [(trial, epoch) for trial in TRIALS for epoch in range(1, EPOCHS + 1)][:epochs]
    each = seconds / max(1, len(done))
    ends = [start_up + each * (number + 1) for number in range(len(done))]
    for (_, epoch), end in zip(done, ends, strict=True):
        times += [end - each, end] if epoch == 1 else [end]
    times += [ends[-1] if ends else start_up]
    with Journal(folder / NAME, clock=lambda: 1_000_000.0 + times.pop(0)) as journal:
        spec = {"name": "s", "task": {"name": "clauses"}, "metric": {"name": "accuracy"}, "budget": budget or {}}
        journal.append("sweep", format=FORMAT, name="s", fingerprint="f", spec=spec, **header)
        for trial in TRIALS:
            journal.append("trial", spec=trial.to_json())
        if begun:
            journal.append("session", number=1, **({} if price is None else {"price": price}))
        for trial, epoch in done:
            if epoch == 1:
                journal.append("started", trial=trial.trial, attempt=1, after=0)
            record = a_record(trial, epoch, wall_s=each).to_json()
            journal.append("report", trial=trial.trial, attempt=1, record=record)
    return FollowedSweep(folder).status().forecast


def test_without_a_price_what_is_left_takes_as_long_as_what_is_done(tmp_path: Path) -> None:
    found = expected(tmp_path, TOTAL // 4, 60.0)
    assert (found.source, found.share, found.remaining_s) == ("rate", 0.25, pytest.approx(180.0))
    assert found.low_s is None


def test_a_rate_is_not_believed_while_the_sweep_is_starting(tmp_path: Path) -> None:
    assert 1 / TOTAL < ENOUGH
    found = expected(tmp_path, 1, 60.0)
    assert (found.share, found.remaining_s, found.source) == (1 / TOTAL, None, "")


def sums_of_powers(goes_on: float) -> float:
    return sum(goes_on**k for k in range(EPOCHS))


def share_after(epochs: int, unbegun: int) -> float:
    """With the probability to go on by which trials train half of their epochs."""
    grid = np.linspace(0, 1, 200_001)
    goes_on = float(grid[np.argmin(np.abs(sum(grid**k for k in range(EPOCHS)) - EPOCHS / 2))])
    return epochs / (epochs + unbegun * sums_of_powers(goes_on))


@pytest.mark.parametrize("start_up", [0.0, 40.0])
@pytest.mark.parametrize(
    ("epochs", "pace"),
    [(0, 1.0), (TOTAL // 4, 1.0), (TOTAL // 4, 2.0), (TOTAL // 4, 0.5)],
    ids=["before it runs", "as fast as its price", "half as fast", "twice as fast"],
)
def test_with_a_price_it_is_that_of_what_is_left_at_the_sweeps_own_pace(
    tmp_path: Path, epochs: int, pace: float, start_up: float
) -> None:
    share = share_after(epochs, 4 - epochs // EPOCHS)
    of_training = PRICED["wall_s"]["expected"] - (start_up if epochs else 0.0)
    found = expected(tmp_path, epochs, pace * share * of_training, price=PRICED, start_up=start_up)
    assert (found.source, found.share) == ("price", pytest.approx(share, abs=1e-4))
    assert found.remaining_s is not None
    weighed = (PRIOR + pace * share) / (PRIOR + share)
    assert found.remaining_s == pytest.approx((1 - share) * of_training * weighed, rel=1e-3)
    low, high = ((1 - share) * of_training * end for end in (0.5 * min(1.0, pace), 2.0 * max(1.0, pace)))
    assert (found.low_s, found.high_s) == pytest.approx((low, high), rel=1e-3)


def test_a_trial_that_has_nearly_ended_is_expected_to_end(tmp_path: Path) -> None:
    found = expected(tmp_path, EPOCHS - 1, 60.0, price={"epochs": {**PRICED["epochs"], "expected": 4.0 * EPOCHS - 1}})
    rare = expected(tmp_path / "half", EPOCHS - 1, 60.0, price=PRICED)
    assert found.share is not None
    assert rare.share is not None
    assert rare.share > found.share > (EPOCHS - 1) / TOTAL


def test_start_up_is_no_part_of_the_rate(tmp_path: Path) -> None:
    assert expected(tmp_path, TOTAL // 4, 60.0, start_up=600.0).remaining_s == pytest.approx(180.0)


@pytest.mark.parametrize(("budget", "left_s"), [({"wall_s": 100.0}, 40.0), ({"epochs": 12.0}, 20.0)], ids=str)
def test_a_budget_that_ends_it_before_is_what_counts(tmp_path: Path, budget: dict[str, float], left_s: float) -> None:
    found = expected(tmp_path, TOTAL // 4, 60.0, budget=budget)
    assert (found.source, found.remaining_s) == ("limit", pytest.approx(left_s))
    assert (found.share or 0) >= 0.6


def test_a_budget_that_is_large_does_not_matter(tmp_path: Path) -> None:
    assert expected(tmp_path, TOTAL // 4, 60.0, budget={"wall_s": 9e9}).source == "rate"


def test_a_search_that_is_not_done_has_no_end_without_a_price(tmp_path: Path) -> None:
    assert expected(tmp_path, TOTAL // 4, 60.0, open=True) == Forecast()


def test_a_sweep_that_has_ended_has_nothing_left(tmp_path: Path) -> None:
    assert expected(tmp_path, TOTAL, 60.0, price=PRICED) == Forecast(share=1.0, remaining_s=0.0)
    assert FollowedSweep(tmp_path / "nowhere").status().forecast == Forecast()
