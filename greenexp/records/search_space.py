"""What is searched: distributions over fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from greenexp.records.file_section import FileSection
from greenexp.records.values import Scalar, Value


def _values(values: Any) -> Any:
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"expected a list of at least one value, got {values!r}")
    checked = tuple(_value(value) for value in values)
    if len({_kind(value) for value in checked}) != len(checked):
        raise ValueError("a value is listed twice")
    return checked


def _value(value: Any) -> Value:
    """A point's coordinate: a single value, or a list of them where the field is a list; never a mapping."""
    if isinstance(value, list | tuple) and value:
        return tuple(_scalar(item) for item in value)
    return _scalar(value)


def _scalar(value: Any) -> Scalar:
    if not isinstance(value, bool | int | float | str | None):
        expected = "a single value (number, text, true, false or null) or a list of single values"
        raise ValueError(f"expected {expected}, got {value!r}")
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"expected a finite number, got {value!r}")
    return value


def _kind(value: Value) -> tuple[Any, ...]:
    """Equal only for the same value of the same type: 1, 1.0 and true are three."""
    if isinstance(value, tuple):
        return (tuple, *map(_kind, value))
    return (type(value), value)


Coordinate = Annotated[Value, BeforeValidator(_value)]


def _allowed(values: Any) -> Any:
    """The values of a condition: a list of them, or one."""
    return _values(values if isinstance(values, list | tuple) else [values])


Allowed = Annotated[tuple[Value, ...], BeforeValidator(_allowed), WithJsonSchema({})]


class _Searched(FileSection):
    """Base of all distributions.

    when: searched field -> values; the field is in a configuration only if each of these has one of its values there
    """

    when: dict[str, Allowed] = Field(
        default={},
        exclude_if=lambda conditions: not conditions,
        description="Dotted path of another searched field -> the values, one or a list, under which there is this one",
    )


class _Range(_Searched):
    """Base of the distributions between two ends."""

    dist: str
    low: float
    high: float

    def ends(self) -> dict[str, Value]:
        """Field -> value that a trial could be given: the two ends."""
        return {"low": self.low, "high": self.high}

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low}) must be less than high ({self.high})")
        return self


class Uniform(_Range):
    """Every number between `low` and `high` equally likely."""

    dist: Literal["uniform"]
    low: float = Field(description="Smallest value")
    high: float = Field(description="Largest value")
    steps: int | None = Field(None, ge=2, description="Number of equally spaced values a grid takes, ends included")


class LogUniform(_Range):
    """The logarithm uniform: as likely between 1e-4 and 1e-3 as between 1e-3 and 1e-2."""

    dist: Literal["loguniform"]
    low: float = Field(gt=0, description="Smallest value, more than 0")
    high: float = Field(gt=0, description="Largest value")
    steps: int | None = Field(None, ge=2, description="Number of values a grid takes, equal ratios, ends included")


class Int(_Range):
    """Whole numbers from `low` to `high`, both included."""

    dist: Literal["int"]
    low: int = Field(description="Smallest value")
    high: int = Field(description="Largest value; reached if it is a whole number of steps away")
    step: int = Field(1, ge=1, description="Distance between two values")

    def count(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def ends(self) -> dict[str, Value]:
        """Field -> value: the smallest and the largest that are reached."""
        return {"low": self.low, "high": self.low + (self.count() - 1) * self.step}


def between(distribution: Uniform | LogUniform, part: float) -> float:
    """The value `part` (0 to 1) of the way from low to high, on the distribution's scale."""
    low, high = distribution.low, distribution.high
    if isinstance(distribution, LogUniform):
        value = math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
    else:
        value = low + part * (high - low)
    return min(max(value, low), high)  # rounding may step over an end


class Choice(_Searched):
    """One of the listed values, each equally likely."""

    dist: Literal["choice"]
    values: Annotated[tuple[Value, ...], BeforeValidator(_values)] = Field(
        description="The values; a list stands for a field that is one"
    )

    def ends(self) -> dict[str, Value]:
        """Field -> value that a trial could be given: each of the values."""
        return {f"values.{i}": value for i, value in enumerate(self.values)}


def _dist(value: Any) -> str | None:
    """The discriminator's value; a missing one is reported by pydantic as such."""
    dist = value.get("dist") if isinstance(value, Mapping) else getattr(value, "dist", None)
    return dist if isinstance(dist, str) else None


Distribution = Annotated[
    Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Int, Tag("int")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(_dist),
]
DISTRIBUTIONS: dict[str, type[FileSection]] = {
    "uniform": Uniform,
    "loguniform": LogUniform,
    "int": Int,
    "choice": Choice,
}
