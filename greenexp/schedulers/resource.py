"""What a rung counts: epochs, or what a trial has used so far on a budget axis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo

from greenexp.errors import FieldError
from greenexp.records.axes import AXES, EPOCHS
from greenexp.schedulers.base import GracePeriod, cannot_act
from greenexp.units import parse_quantity

Resource = Literal["epochs", "train_flops", "energy_j", "wall_s"]
"""The field `resource` of a scheduler: the budget axis that its rungs lie on."""
MOST_LEVELS, MOST_TIMES = 100, 1e9
"""The levels that an axis has at most, and how far they reach, in first levels: what a trial uses has no known end."""


def _in_base_units(value: Any, info: ValidationInfo) -> Any:
    """A quantity with a unit as a number, where the axis has a unit."""
    resource = info.data.get("resource", EPOCHS)
    return parse_quantity(value, AXES[resource].unit) if resource != EPOCHS and isinstance(value, str) else value


FirstRung = Annotated[GracePeriod, BeforeValidator(_in_base_units, json_schema_input_type=float | str)]
"""The type of `grace_period` beside a field `resource`, which must stand before it; None: one epoch."""


class RungsOnAnAxis:
    """What settings with a `resource` and a `grace_period` have in common: without the latter, rungs begin at epoch 1.

    On another axis there is no first level that suits: it must be given.
    """

    __slots__ = ()
    resource: Resource
    grace_period: FirstRung | None

    def __post_init__(self) -> None:
        if self.grace_period is None and self.resource == EPOCHS:
            object.__setattr__(self, "grace_period", 1)

    @property
    def first(self) -> float:
        """The first rung. FieldError if it had to be given, and was not."""
        if self.grace_period is None:
            axis = AXES[self.resource]
            raise FieldError(
                "grace_period", f"must be given where resource is {self.resource}: the first rung, in {axis.unit}"
            )
        return self.grace_period


def check_axis(name: str, reports: int) -> None:
    """Raise where rungs on a cost axis could stop no trial; reports: how often a full trial reports."""
    if reports <= 1:
        raise cannot_act(
            name, "every trial reports once, at its end", "raise training.epochs or training.reports_per_epoch"
        )


def levels(first: float, reduction_factor: float, skip: int = 0) -> tuple[float, ...]:
    """Powers first x eta^k for k = skip, skip + 1, ...: at most MOST_LEVELS of them, and up to MOST_TIMES x first."""
    found: list[float] = []
    for power in range(skip, skip + MOST_LEVELS):
        times = reduction_factor**power
        if times > MOST_TIMES:
            break
        found.append(float(first * times))
    return tuple(found)


def multiples(first: float) -> tuple[float, ...]:
    """Multiples first, 2 x first, 3 x first, ..., MOST_LEVELS of them."""
    return tuple(float(first * number) for number in range(1, MOST_LEVELS + 1))
