"""What is searched (distributions over fields) and how (random, grid, points)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from greenexp.records.trial import Scalar
from greenexp.spec.sections import Section


def _scalars(values: Any) -> Any:
    """A list of single values; mappings and lists cannot be a point's coordinate."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"expected a list of at least one value, got {values!r}")
    for value in values:
        _scalar(value)
    kinds = [(type(value), value) for value in values]
    if len(set(kinds)) != len(kinds):
        raise ValueError("a value is listed twice")
    return tuple(values)


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"expected a single value (number, text, true, false or null), got {value!r}")
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"expected a finite number, got {value!r}")
    return value


Coordinate = Annotated[Scalar, BeforeValidator(_scalar)]


class _Range(Section):
    """Base of the distributions between two ends."""

    dist: str
    low: float
    high: float

    def ends(self) -> dict[str, Scalar]:
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

    def ends(self) -> dict[str, Scalar]:
        """Field -> value: the smallest and the largest that are reached."""
        return {"low": self.low, "high": self.low + (self.count() - 1) * self.step}


class Choice(Section):
    """One of the listed values, each equally likely."""

    dist: Literal["choice"]
    values: Annotated[tuple[Scalar, ...], BeforeValidator(_scalars)] = Field(description="The values")

    def ends(self) -> dict[str, Scalar]:
        """Field -> value that a trial could be given: each of the values."""
        return {f"values.{i}": value for i, value in enumerate(self.values)}


def _tag(key: str) -> Any:
    """The discriminator's value; a missing one is reported by pydantic as such."""

    def read(value: Any) -> Any:
        tag = value.get(key) if isinstance(value, Mapping) else getattr(value, key, None)
        return tag if isinstance(tag, str) else None

    return read


Distribution = Annotated[
    Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[Int, Tag("int")]
    | Annotated[Choice, Tag("choice")],
    Discriminator(_tag("dist")),
]
DISTRIBUTIONS: dict[str, type[Section]] = {
    "uniform": Uniform,
    "loguniform": LogUniform,
    "int": Int,
    "choice": Choice,
}


class RandomSearch(Section):
    """Independent draws from `space`; more samples keep the earlier ones."""

    name: Literal["random"]
    samples: int = Field(ge=1, description="Number of configurations")
    seed: int = Field(0, ge=0, description="Seed of the draws")


class GridSearch(Section):
    """Every combination of the values of `space`."""

    name: Literal["grid"]


class PointsSearch(Section):
    """The configurations that are listed, and no others."""

    name: Literal["points"]
    points: Annotated[tuple[dict[str, Coordinate], ...], Field(strict=False, min_length=1)] = Field(
        description="One mapping of dotted path to value per configuration"
    )


Search = Annotated[
    Annotated[RandomSearch, Tag("random")]
    | Annotated[GridSearch, Tag("grid")]
    | Annotated[PointsSearch, Tag("points")],
    Discriminator(_tag("name")),
]
SEARCHES: dict[str, type[Section]] = {"random": RandomSearch, "grid": GridSearch, "points": PointsSearch}
