"""Where rungs lie and how many units pass one."""

from __future__ import annotations

import math

from greenexp.errors import InputError
from greenexp.schedulers.base import cannot_act

ROUNDING = 1e-9
"""Of whole numbers from powers and quotients: 100 * 1.1 is 110.00000000000001 and must still mean epoch 110."""


def check_halving(name: str, reduction_factor: float, grace_period: int, max_epochs: int, units: float) -> None:
    """Raise InputError for settings under which no unit could ever be stopped, or that mean nothing."""
    if not (math.isfinite(reduction_factor) and reduction_factor > 1):
        raise InputError(
            f"scheduler {name}: reduction_factor must be greater than 1, got {reduction_factor:g}: a rung lets the "
            "best 1/reduction_factor go on; 3 is usual"
        )
    if grace_period < 1:
        raise InputError(
            f"scheduler {name}: grace_period is the epoch of the first rung, at least 1, got {grace_period}"
        )
    if grace_period >= max_epochs:
        raise cannot_act(
            name,
            f"its first rung, grace_period {grace_period}, is not below the last epoch, {max_epochs}",
            f"raise training.epochs above {grace_period}" + (", lower grace_period" if max_epochs > 1 else ""),
        )
    if units < reduction_factor:
        raise cannot_act(name, *too_few(units, reduction_factor))


def too_few(units: float, reduction_factor: float) -> tuple[str, str]:
    """Why and what to change where a rung would let less than one unit go on."""
    why = f"of {units} to compare, 1/{reduction_factor:g} is less than one whole"
    lower = f", lower reduction_factor to {units}" if units >= 2 else ""
    return why, f"compare at least {math.ceil(reduction_factor)}{lower}"


def upward_rungs(grace_period: int, reduction_factor: float, max_epochs: int, skip: int = 0) -> tuple[int, ...]:
    """Epochs of the rungs grace x eta^k < max_epochs for k = skip, skip + 1, ...

    A fractional power counts at the first whole epoch after it; powers that meet there are one rung.
    """
    rungs: list[int] = []
    power = skip
    while (epoch := math.ceil(grace_period * reduction_factor**power - ROUNDING)) < max_epochs:
        if not rungs or epoch > rungs[-1]:
            rungs.append(epoch)
        power += 1
    return tuple(rungs)


def every_epoch(grace_period: int, max_epochs: int) -> tuple[int, ...]:
    """The grace period and every whole epoch after it and before the last one."""
    return (grace_period, *range(math.floor(grace_period) + 1, math.ceil(max_epochs)))


def most_halvings(grace_period: int, reduction_factor: float, max_epochs: int) -> int:
    """Hyperband's s_max = floor(log_eta(R / r)), counted instead of computed so that 243 = 3^5 gives 5."""
    halvings = 0
    while grace_period * reduction_factor ** (halvings + 1) <= max_epochs * (1 + ROUNDING):
        halvings += 1
    return halvings


def downward_rungs(halvings: int, reduction_factor: float, max_epochs: int) -> tuple[int, ...]:
    """Epochs of a Hyperband bracket's rungs, R x eta^-s, ..., R x eta^-1, each to the nearest whole epoch.

    Exact halves are rounded up. Rungs that meet are one, and a rung at the last epoch is none.
    """
    epochs = (math.floor(max_epochs * reduction_factor**-power + 0.5) for power in range(halvings, 0, -1))
    return tuple(sorted({epoch for epoch in epochs if 1 <= epoch < max_epochs}))


def places(units: int, reduction_factor: float) -> int:
    """How many of `units` go on at a rung: floor(n / eta), and never fewer than the best one."""
    return max(1, math.floor(units / reduction_factor + ROUNDING))
