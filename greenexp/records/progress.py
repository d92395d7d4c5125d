"""How far a trial has come, in epochs: the one place where reports within an epoch become numbers.

With `training.reports_per_epoch` r, report k (from 1) of a trial comes after k / r epochs. That number names the report
everywhere: in records, rungs, tables, folders. It is an int at the end of an epoch and else the float k / r, so equal
reports have equal numbers and a journal without reports within an epoch reads as it always did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from greenexp.errors import InputError

Epochs = int | float
"""Epochs trained: an int at the end of an epoch, a float within one."""
_ROUNDING = 1e-9


def epochs_at(report: int, per_epoch: int) -> Epochs:
    """The epochs that a trial has trained at its report number `report`; 0 at number 0, before the first."""
    whole, rest = divmod(report, per_epoch)
    return whole if rest == 0 else report / per_epoch


def report_at(epochs: Epochs, per_epoch: int) -> int:
    """The number of the report that comes after `epochs`: the inverse of `epochs_at`."""
    return round(epochs * per_epoch)


def sum_of_epochs(parts: Iterable[float]) -> Epochs:
    """The sum, whole where it is but for rounding: 12 thirds are 4."""
    total = math.fsum(parts)
    return round(total) if abs(total - round(total)) < _ROUNDING else total


def steps_until(report: int, per_epoch: int, steps: int) -> int:
    """How many of an epoch's `steps` are made at its report number `report` (from 1): ceil(report x steps / per_epoch).

    The first whole step at or after the report's share of the epoch; the last report comes after the last step. Raises
    InputError where there are more reports than steps.
    """
    if per_epoch > steps:
        raise InputError(
            f"training.reports_per_epoch is {per_epoch}, but an epoch has only {steps} optimiser step(s): lower it to "
            f"at most {steps}, or lower training.batch_size"
        )
    return -(-report * steps // per_epoch)
