"""The price where rungs lie at costs: which report comes to a level, and what a scheduler leaves of each trial."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from greenexp.errors import FieldError
from greenexp.plan.flops import EpochFlops
from greenexp.plan.prices import Bound
from greenexp.records.axes import EPOCHS, rung_name
from greenexp.schedulers.brackets import Bracket
from greenexp.schedulers.rungs import ROUNDING

KNOWN_BEFORE = "train_flops"
"""The cost axis on which it is known beforehand which report comes to a level."""
NOT_KNOWN_BEFORE = "how long trials train until a rung is not known before, as the rungs lie at {resource}"


def resource_of_brackets(brackets: Iterable[Bracket]) -> str:
    """The axis that their rungs lie on, the same for all."""
    return next((bracket.resource for bracket in brackets), EPOCHS)


def within_reach(brackets: Iterable[Bracket], trials: Sequence[EpochFlops]) -> tuple[Bracket, ...]:
    """The brackets without the levels of training FLOPs that no trial comes to before its last report."""
    furthest = max(math.fsum(trial.training[:-1]) for trial in trials)
    return tuple(
        replace(bracket, rungs=tuple(rung for rung in bracket.rungs if rung.epoch * (1 - ROUNDING) <= furthest))
        for bracket in brackets
    )


def check_reach(brackets: Iterable[Bracket], reachable: Iterable[Bracket], trials: Sequence[EpochFlops]) -> None:
    """Raise FieldError where no trial comes to a rung before its last report."""
    if any(bracket.rungs for bracket in reachable):
        return
    first = min(rung.epoch for bracket in brackets for rung in bracket.rungs)
    furthest = max(math.fsum(trial.training[:-1]) for trial in trials)
    raise FieldError(
        "scheduler.grace_period",
        f"the first rung, at {rung_name(KNOWN_BEFORE, first)}, could stop no trial: before its last report a trial "
        f"uses at most {rung_name(KNOWN_BEFORE, furthest)}",
    )


def passed_at_once(brackets: Sequence[Bracket], trials: Sequence[EpochFlops]) -> tuple[str, ...]:
    """A note where every trial passes several rungs with its first report, which then judge it by one value.

    brackets: those of `within_reach`
    """
    first = min(trial.training[0] for trial in trials)
    lowest = brackets[0].rungs
    passed = sum(rung.epoch * (1 - ROUNDING) <= first for rung in lowest)
    if passed < 2:
        return ()
    note = (
        f"the first report of every trial passes {passed} of the {len(lowest)} rungs, since it costs at least "
        f"{rung_name(KNOWN_BEFORE, first)}: raise scheduler.grace_period, or training.reports_per_epoch"
    )
    return (note,)


def expected_cost(
    per_trial: Sequence[Sequence[float]],
    trials: Sequence[EpochFlops],
    brackets: Iterable[Bracket],
    per_unit: Callable[[Bracket], float],
) -> float:
    """What brackets with levels of training FLOPs leave of costs, each trial at its own cost of each report.

    per_trial: costs of each trial's reports; trials: their FLOPs; per_unit: trials that a bracket's unit stands for
    Assumes that a trial is as likely as any other to be one of those that go on. One that ends before a level uses no
    more from there on.
    """
    total = 0.0
    for costs, flops in zip(per_trial, trials, strict=True):
        used, spent = list(accumulate(flops.training)), [0.0, *accumulate(costs)]
        for bracket in brackets:
            share = per_unit(bracket) / len(per_trial)
            for trains, after, until in bracket.stretches:
                total += share * trains * (spent[_reports(used, until)] - spent[_reports(used, after)])
    return total


def _reports(used: Sequence[float], level: float) -> int:
    """After how many reports a trial has come to a level, or ended; `used`: FLOPs after each report."""
    return 0 if not level else min(bisect_left(used, level * (1 - ROUNDING)) + 1, len(used))


def not_known_before(bounds: Mapping[str, Bound], resource: str) -> dict[str, Bound]:
    """Bounds without what is expected, but for the number of trials, where nobody knows when a level is reached."""
    why = NOT_KNOWN_BEFORE.format(resource=resource)
    return {
        axis: bound if bound.most is None or axis == "trials" else Bound(bound.most, None, why, source=bound.source)
        for axis, bound in bounds.items()
    }
