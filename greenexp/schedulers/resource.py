"""What a rung counts: epochs, or what a trial has used so far on a budget axis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo

from greenexp.errors import FieldError
from greenexp.records.axes import AXES, EPOCHS
from greenexp.schedulers.base import cannot_act

Resource = Literal["epochs", "train_flops", "energy_j", "wall_s"]
"""The field `resource` of a scheduler: the budget axis that its rungs lie on."""
MOST_LEVELS, MOST_TIMES = 100, 1e9
"""The levels that an axis has at most, and how far they reach, in first levels: what a trial uses has no known end."""


def _in_base_units(value: Any, info: ValidationInfo) -> Any:
    """A quantity with a unit as a number, where the axis has a unit.

    What is given for such an axis is a float, so that the default, the int 1 (one epoch), is told from it.
    """
    resource = info.data.get("resource", EPOCHS)
    if resource == EPOCHS or isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    return parsed(value, resource)


def parsed(value: float | str, resource: str) -> float:
    """The number of base units in `value`. ValueError if it is not a quantity of the axis."""
    from greenexp.units import parse_quantity

    return parse_quantity(value, AXES[resource].unit)


def _whole(value: float, info: ValidationInfo) -> int | float:
    """2.0 epochs are 2: they are written and recorded as they always were."""
    counts_epochs = info.data.get("resource", EPOCHS) == EPOCHS
    return int(value) if counts_epochs and float(value).is_integer() else value


FirstRung = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_in_base_units, json_schema_input_type=float | str),
    AfterValidator(_whole),
    PlainSerializer(lambda value: value, return_type=int | float),
]
"""The type of `grace_period` beside a field `resource`, which must stand before it."""


def check_first_level(name: str, resource: str, first: float, reports: int) -> None:
    """Raise where rungs on a cost axis have no first level, or could stop no trial.

    reports: how often a full trial reports
    """
    unit = AXES[resource].unit
    if isinstance(first, int):
        raise FieldError("grace_period", f"must be given where resource is {resource}: the first rung, in {unit}")
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
