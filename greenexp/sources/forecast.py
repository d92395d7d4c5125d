"""How far a sweep has come, and how long it is expected to go on: from its price, else from its own rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.records.priced import recorded_price

if TYPE_CHECKING:
    from greenexp.journal.state import SweepState

ENOUGH = 0.1
"""The share of the work after which a sweep's own rate is trusted: before it, much of the time is that of starting."""

PRIOR = 0.5
"""The weight of the price against what has run, as a share of the whole sweep."""


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

    share = epochs done / (done + expected to be left). With a price of E seconds, what is left takes
    (1 - share) E pace, where pace = (PRIOR + elapsed / E) / (PRIOR + share) is 1 for a sweep as fast as its price; the
    range covers the price's interval at pace 1 and at the sweep's own, elapsed / (share E). Without a price, what is
    left takes its epochs at the mean rate so far. Where a limit ends the sweep before that, the limit counts.
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
    return share, left * state.elapsed_s / done if share >= ENOUGH else None


def _epochs_left(state: SweepState) -> float | None:
    """Epochs still to be trained; None while the search may propose more and no price says how many.

    Of the epochs that unfinished trials have left, the share is expected that the price expected of all epochs.
    """
    trials = state.trials.values()
    most = sum(max(0.0, trial.spec.settings.training.epochs - trial.epoch) for trial in trials if not trial.ended)
    price = recorded_price(session.data for session in state.sessions).get("epochs")
    if state.open and not state.search_done:
        return None if price is None else max(most, price["expected"] - state.epochs_run)
    if price is None:
        return most
    return most * min(1.0, price["expected"] / max(1, sum(trial.spec.settings.training.epochs for trial in trials)))


def _by_price(state: SweepState, share: float | None) -> Forecast | None:
    """What the price says of the work that is left, at the sweep's pace; None without a price in seconds."""
    price = recorded_price(session.data for session in state.sessions).get("wall_s")
    if price is None or share is None or price["expected"] <= 0:
        return None
    elapsed = state.elapsed_s / price["expected"]
    pace = (PRIOR + elapsed) / (PRIOR + share)
    own = elapsed / share if share >= ENOUGH else 1.0
    low, expected, high = ((1 - share) * price[end] for end in ("low", "expected", "high"))
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
        left_s = limit - amount if axis == "wall_s" else state.elapsed_s * (limit - amount) / amount
        if found.remaining_s is None or left_s < found.remaining_s:
            done = share if found.share is None or found.remaining_s is not None else found.share
            found = Forecast(max(done, found.share or 0.0), max(0.0, left_s), source="limit")
    return found
