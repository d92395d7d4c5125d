"""How far a sweep has come, and how long it is expected to go on: from its price, else from its own rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.records.priced import recorded_price

if TYPE_CHECKING:
    from greenexp.journal.state import SweepState

ENOUGH = 0.1
"""The share of the work after which a sweep's own rate is trusted: before it, much of the time is that of starting."""

PRIOR = 0.25
"""The weight of the price against what has run, as a share of the whole sweep."""

START_UP = 0.5
"""The largest part of a price that is taken for start-up: a sweep that waited for an hour is priced as before."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of a sweep as of its last event.

    share: of the work that is done, from 0 to 1; None while nobody knows how much there is
    remaining_s: elapsed seconds that it is expected to go on, None while nothing tells; low_s, high_s: the range for
        them that the price's 80 % interval leaves, None where they do not come from the price
    source: `price`, `rate` (of the sweep itself), `limit` (the budget ends it before it is through), or "" for none
    """

    share: float | None = None
    remaining_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    source: str = ""


def forecast(state: SweepState) -> Forecast:
    """The forecast of a sweep from its state.

    share = epochs done / (done + expected to be left). The price holds start-up, too: of its seconds, E are those of
    training, which are left when the start-up s of this sweep is taken off. What is left takes (1 - share) E pace,
    where pace = (PRIOR + (elapsed - s) / E) / (PRIOR + share) is 1 for a sweep as fast as its price; the range covers
    the price's interval at pace 1 and at the sweep's own, (elapsed - s) / (share E). Without a price, what is left
    takes its epochs at the mean rate since s. Where a limit ends the sweep before that, the limit counts.
    """
    if not state.header:
        return Forecast()
    if state.complete:
        return Forecast(share=1.0, remaining_s=0.0)
    share, by_rate = _work(state)
    found = _by_price(state, share) or Forecast(share, by_rate, source="" if by_rate is None else "rate")
    return _within_limits(state, found)


def _work(state: SweepState) -> tuple[float | None, float | None]:
    """The share of epochs that is done, and the seconds that the others take at the mean rate so far."""
    done, left = float(state.epochs_run), _epochs_left(state)
    if left is None:
        return None, None
    share = done / (done + left) if done + left else 0.0
    return share, left * (state.elapsed_s - _start_up_s(state)) / done if share >= ENOUGH else None


def _start_up_s(state: SweepState) -> float:
    """Elapsed seconds until training began, which are no part of the sweep's pace; all of them before a report."""
    firsts = [trial.reports[0] for trial in state.trials.values() if trial.reports]
    if not firsts:
        return state.elapsed_s
    _, at, record = min(firsts, key=lambda report: report[1])
    before = 0.0 if record.costs.wall_s is None else at - state.sessions[0].began - record.costs.wall_s
    return min(max(0.0, before), state.elapsed_s)


def _epochs_left(state: SweepState) -> float | None:
    """Epochs still to be trained; None while the search may propose more and no price says how many.

    A trial that has trained goes on to its next epoch with probability q, independently: T - e epochs left of it are
    q + ... + q^(T - e) expected ones, and those of a trial that has not begun 1 + q + ... + q^(T - 1). q is what makes
    all trials train as many epochs as the price expected. So a trial that has come far is expected to go on. Trials
    that were stopped so far do not correct q: those that finish come first, and whoever is stopped comes later.
    """
    trials = state.trials.values()
    price = recorded_price(session.data for session in state.sessions).get("epochs")
    most = float(sum(trial.spec.settings.training.epochs for trial in trials))
    goes_on = 1.0
    if price is not None and most and not (state.open and not state.search_done):
        goes_on = _goes_on(price["expected"] / most, [int(trial.spec.settings.training.epochs) for trial in trials])
    left = sum(_left(trial.epoch, trial.spec.settings.training.epochs, goes_on) for trial in trials if not trial.ended)
    if state.open and not state.search_done:
        return None if price is None else max(left, price["expected"] - state.epochs_run)
    return left


def _left(done: float, whole: float, goes_on: float) -> float:
    """Expected epochs of a trial after `done` of `whole`; parts of an epoch count as such."""
    count = max(0.0, whole - done)
    first = 0 if done > 0 else 1  # the first epoch is trained in any case
    full = int(count - first) if count >= first else 0
    powers = sum(goes_on**k for k in range(1, full + 1))
    return min(count, first + powers + (count - first - full) * goes_on ** (full + 1))


def _goes_on(share: float, epochs: list[int]) -> float:
    """The probability to go on after an epoch with which trials train `share` of all their epochs, by bisection."""
    low, high, most = 0.0, 1.0, sum(epochs)
    if share >= 1:
        return 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(_left(0, each, middle) for each in epochs) < share * most else (low, middle)
    return high


def _by_price(state: SweepState, share: float | None) -> Forecast | None:
    """What the price says of the work that is left, at the sweep's pace; None without a price in seconds."""
    price = recorded_price(session.data for session in state.sessions).get("wall_s")
    if price is None or share is None or price["expected"] <= 0:
        return None
    start_up = _start_up_s(state)
    of_training = 1 - min(START_UP, start_up / price["expected"])
    trained = (state.elapsed_s - start_up) / (of_training * price["expected"])
    pace = (PRIOR + trained) / (PRIOR + share)
    own = trained / share if share >= ENOUGH else 1.0
    low, expected, high = ((1 - share) * of_training * price[end] for end in ("low", "expected", "high"))
    return Forecast(share, expected * pace, low * min(1.0, own), high * max(1.0, own), "price")


def _within_limits(state: SweepState, found: Forecast) -> Forecast:
    """The forecast, or the limit that ends the sweep before."""
    from greenexp.journal.budget import used

    spent, limits = used(state), state.spec.budget.limits()
    for axis, limit in limits.items():
        amount = spent.get(axis)
        if axis == "trials" or amount is None or not limit:
            continue
        share = amount / limit
        if axis != "wall_s" and share < ENOUGH:
            continue
        trained_s = state.elapsed_s - _start_up_s(state)
        left_s = limit - amount if axis == "wall_s" else trained_s * (limit - amount) / amount
        if found.remaining_s is None or left_s < found.remaining_s:
            done = share if found.share is None or found.remaining_s is not None else found.share
            found = Forecast(max(done, found.share or 0.0), max(0.0, left_s), source="limit")
    return found
