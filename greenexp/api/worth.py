"""Whether one more configuration of a running sweep is worth its cost (`budget.worth`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from greenexp.records.history import LimitReached
from greenexp.records.worth import PAYMENTS, WORTH, Payment
from greenexp.searches import is_independent

if TYPE_CHECKING:
    from greenexp.journal.state import SweepState, TrialState
    from greenexp.plan.plans import Plan
    from greenexp.records.sections import Worth


def worth_limit(plan: Plan) -> Callable[[SweepState], LimitReached | None] | None:
    """Says of the sweep's state whether the next configuration is expected to gain too little for its cost.

    None where the sweep file sets no worth.
    The answer follows from the configurations that have ended, so that it is the same after a crash.
    """
    worth, search = plan.spec.budget.worth, plan.spec.search.name
    if worth is None:
        return None
    known: dict[int, LimitReached | None] = {}  # number of configurations that have ended -> the answer

    def enough(state: SweepState) -> LimitReached | None:
        number = len(state.ended)
        if number not in known:
            known[number] = _limit(state, worth, draws=is_independent(search))
        return known[number]

    return enough


def _limit(state: SweepState, worth: Worth, *, draws: bool) -> LimitReached | None:
    from greenexp.analysis.search.next_gain import LEAST, gain_of_draws, gain_of_search

    ended = set(state.ended)
    members = [state.members(name) for name in state.configurations if name in ended]
    whole = [trials for trials in members if all(_has_score(trial) for trial in trials)]
    if len(whole) < LEAST:
        return None
    scores = [fmean(trial.score for trial in trials if trial.score is not None) for trials in whole]
    gain = (gain_of_draws if draws else gain_of_search)(scores, 1, minimize=state.mode == "min")
    cost = _mean_cost(members, PAYMENTS[worth.per])
    if cost is None or gain.mean >= worth.gain * cost:
        return None
    return LimitReached(WORTH, gain.mean / cost, worth.gain)


def _has_score(trial: TrialState) -> bool:
    return trial.status != "failed" and trial.score is not None


def _mean_cost(configurations: Sequence[Sequence[TrialState]], payment: Payment) -> float | None:
    """Of a configuration with all its seeds, in what is paid; None where a report was not measured, or nothing cost.

    Failed ones were paid for, too.
    """
    if not payment.axis:
        return 1.0
    costs = [
        getattr(record.costs, payment.axis)
        for trials in configurations
        for trial in trials
        for _, _, record in trial.reports
    ]
    if not costs or any(cost is None for cost in costs):
        return None
    return sum(costs) / len(configurations) / payment.amount or None
