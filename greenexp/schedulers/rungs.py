"""Where rungs lie and how many units pass one."""

from __future__ import annotations

import math

from greenexp.errors import InputError
from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs, epochs_at
from greenexp.schedulers.base import cannot_act
from greenexp.schedulers.resource import check_axis, levels

ROUNDING = 1e-9
"""Of whole numbers from powers and quotients: 100 * 1.1 is 110.00000000000001 and must still mean epoch 110."""


def check_halving(
    name: str,
    reduction_factor: float,
    grace_period: float,
    max_epochs: int,
    units: float,
    reports_per_epoch: int = 1,
    resource: str = EPOCHS,
) -> None:
    """Raise InputError for settings under which no unit could ever be stopped, or that mean nothing."""
    if not (math.isfinite(reduction_factor) and reduction_factor > 1):
        raise InputError(
            f"scheduler {name}: reduction_factor must be greater than 1, got {reduction_factor:g}: a rung lets the "
            "best 1/reduction_factor go on; 3 is usual"
        )
    if resource != EPOCHS:
        check_axis(name, max_epochs * reports_per_epoch)
    else:
        _check_in_epochs(name, grace_period, max_epochs, reports_per_epoch)
    if units < reduction_factor:
        raise cannot_act(name, *too_few(units, reduction_factor))


def _check_in_epochs(name: str, grace_period: float, max_epochs: int, reports_per_epoch: int) -> None:
    check_first_report(name, grace_period, reports_per_epoch)
    if grace_period >= max_epochs:
        raise cannot_act(
            name,
            f"its first rung, grace_period {grace_period:g}, is not below the last epoch, {max_epochs}",
            f"raise training.epochs above {grace_period:g}" + (", lower grace_period" if max_epochs > 1 else ""),
        )


def check_first_report(name: str, grace_period: float, reports_per_epoch: int) -> None:
    """Raise InputError where no trial reports as early as the first rung."""
    if grace_period * reports_per_epoch >= 1 - ROUNDING:
        return
    first = 1 / reports_per_epoch
    often = math.ceil(1 / grace_period - ROUNDING) if grace_period > 0 else 0
    more = f", or raise training.reports_per_epoch to at least {often}" if often else ""
    raise InputError(
        f"scheduler {name}: grace_period is the epoch of the first rung, and a trial first reports after {first:g} "
        f"epoch(s), got {grace_period:g}: raise it to at least {first:g}{more}"
    )


def too_few(units: float, reduction_factor: float) -> tuple[str, str]:
    """Why and what to change where a rung would let less than one unit go on."""
    why = f"of {units} to compare, 1/{reduction_factor:g} is less than one whole"
    lower = f", lower reduction_factor to {units}" if units >= 2 else ""
    return why, f"compare at least {math.ceil(reduction_factor)}{lower}"


def upward_rungs(
    grace_period: float,
    reduction_factor: float,
    max_epochs: int,
    skip: int = 0,
    reports_per_epoch: int = 1,
    resource: str = EPOCHS,
) -> tuple[Epochs, ...]:
    """Epochs of the rungs grace x eta^k < max_epochs for k = skip, skip + 1, ...

    A rung lies at the first report at or after its power, so at a whole epoch where trials report once per epoch;
    powers that meet there are one rung. On another resource the powers themselves: see `resource.levels`.
    """
    if resource != EPOCHS:
        return levels(grace_period, reduction_factor, skip)
    rungs: list[int] = []  # numbers of reports
    power = skip
    end = max_epochs * reports_per_epoch
    while (report := math.ceil(grace_period * reports_per_epoch * reduction_factor**power - ROUNDING)) < end:
        if not rungs or report > rungs[-1]:
            rungs.append(report)
        power += 1
    return tuple(epochs_at(report, reports_per_epoch) for report in rungs)


def every_report(grace_period: float, max_epochs: int, reports_per_epoch: int = 1) -> tuple[Epochs, ...]:
    """Every report from the first at or after the grace period to the last but one."""
    first = max(1, math.ceil(grace_period * reports_per_epoch - ROUNDING))
    return tuple(epochs_at(report, reports_per_epoch) for report in range(first, max_epochs * reports_per_epoch))


def most_halvings(grace_period: float, reduction_factor: float, max_epochs: int) -> int:
    """Hyperband's s_max = floor(log_eta(R / r)), counted instead of computed so that 243 = 3^5 gives 5."""
    halvings = 0
    while grace_period * reduction_factor ** (halvings + 1) <= max_epochs * (1 + ROUNDING):
        halvings += 1
    return halvings


def downward_rungs(
    halvings: int, reduction_factor: float, max_epochs: int, reports_per_epoch: int = 1
) -> tuple[Epochs, ...]:
    """Epochs of a Hyperband bracket's rungs, R x eta^-s, ..., R x eta^-1, each at the nearest report.

    Exact halves are rounded up. Rungs that meet are one, and a rung at the last report is none.
    """
    end = max_epochs * reports_per_epoch
    reports = (math.floor(end * reduction_factor**-power + 0.5) for power in range(halvings, 0, -1))
    return tuple(epochs_at(report, reports_per_epoch) for report in sorted({n for n in reports if 1 <= n < end}))


def places(units: int, reduction_factor: float) -> int:
    """How many of `units` go on at a rung: floor(n / eta), and never fewer than the best one."""
    return max(1, math.floor(units / reduction_factor + ROUNDING))
