"""Limits on what a sweep, or a part of one, may use: a field for each axis, by name and unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, create_model

from greenexp.records.axes import AXES, BudgetAxis
from greenexp.records.file_section import FileSection
from greenexp.units import parse_quantity


class LimitsBase(FileSection):
    """A section with a limit for each axis of `greenexp.records.axes`; None is no limit."""

    def limits(self) -> dict[str, float]:
        """Axis -> limit in the axis's unit, only the axes that are limited."""
        values = ((name, getattr(self, name)) for name in AXES)
        return {name: float(value) for name, value in values if value is not None}


def limit_fields() -> dict[str, Any]:
    """The fields of such a section, for `pydantic.create_model`."""
    return {name: (_limit(axis), None) for name, axis in AXES.items()}


def _limit(axis: BudgetAxis) -> Any:
    """The type of one axis's limit: text with a unit, or a number of base units; more than 0."""

    def parse(value: Any) -> float | None:
        if value is None:
            return None
        if not isinstance(value, int | float | str) or isinstance(value, bool):
            raise ValueError(f"expected a number or a number with a unit, got {value!r}")
        if axis.unit in {"s", "J", "FLOP", "g"}:
            number = parse_quantity(value, axis.unit)
        elif isinstance(value, str):
            raise ValueError(f"expected a number without unit, got {value!r}")
        else:
            number = float(value)
        if not 0 < number < float("inf"):
            raise ValueError(f"a limit must be finite and more than 0, got {value!r}")
        if axis.unit == "" and not number.is_integer():
            raise ValueError(f"expected a whole number of {axis.name}, got {value!r}")
        return number

    unit = f" ({axis.unit})" if axis.unit else ""
    schema = WithJsonSchema({"type": ["number", "string", "null"], "description": f"Limit on {axis.about}{unit}"})
    return Annotated[float | None, BeforeValidator(parse), schema]


if TYPE_CHECKING:

    class SearchBudget(LimitsBase):
        """Limits on the search of each value."""

else:
    SearchBudget = create_model(
        "SearchBudget", __base__=LimitsBase, __doc__="Limits on the search of each value.", **limit_fields()
    )
