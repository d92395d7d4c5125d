"""Plug-ins that need no library, for the tests of plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from greenexp.compression import COMPRESSIONS
from greenexp.errors import InputError
from greenexp.plan.plugins import Plugins
from greenexp.schedulers import SCHEDULERS
from greenexp.searches import SEARCHES


@dataclass(frozen=True)
class Rows:
    train: Annotated[int, Field(ge=1)] = 100
    file: str | None = None


@dataclass(frozen=True)
class Tower:
    hidden: int
    layers: int | None = 4
    heads: int = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of heads ({self.heads})")


@dataclass(frozen=True)
class Spire(Tower):
    """A backbone with a field that a method may have a wish for."""

    pooling: str | None = None


@dataclass(frozen=True)
class Flat:
    bias: bool = True


@dataclass(frozen=True)
class Round:
    """A head without fields."""


@dataclass(frozen=True)
class Published:
    """A method whose publication uses its own head."""

    defaults: ClassVar[dict[str, Any]] = {
        "exits.head": {"name": "flat", "bias": False},
        "backbone.pooling": "mean",
        "backbone.heads": 1,
        "backbone.wings": 2,
    }


@dataclass(frozen=True)
class Joint:
    weights: Literal["uniform", "linear"] | tuple[float, ...] = "uniform"

    def __post_init__(self) -> None:
        if self.weights == ():
            raise InputError("joint: at least one weight")


@dataclass(frozen=True)
class Staged:
    stages: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Confident:
    threshold: Annotated[float, Field(ge=0)] = 0.9
    comparator: Literal[">=", ">"] = ">="

    family: ClassVar[str] = "max_probability"


@dataclass(frozen=True)
class Mute:
    """A policy without a replay form."""


PLUGINS: Plugins = {
    "task": {"rows": Rows},
    "backbone": {"tower": Tower, "spire": Spire},
    "exits.head": {"flat": Flat, "round": Round},
    "compression": COMPRESSIONS,
    "method": {"joint": Joint, "staged": Staged, "published": Published},
    "search": SEARCHES,
    "scheduler": SCHEDULERS,
    "replay.policies": {"max_probability": Confident, "patience": Confident, "mute": Mute},
}

HEAD = """name: x
task: {name: rows}
backbone: {name: tower, hidden: 64}
exits: {head: {name: flat}}
method: {name: joint}
"""


def sections(**changed: Any) -> dict[str, Any]:
    """The file above as data, with some sections changed."""
    base: dict[str, Any] = {
        "name": "x",
        "task": {"name": "rows"},
        "backbone": {"name": "tower", "hidden": 64},
        "exits": {"head": {"name": "flat"}},
        "method": {"name": "joint"},
    }
    return base | changed
