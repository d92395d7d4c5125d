"""What is taken from a model's encoder, and the form that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Kept = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """What of an encoder stays; None: all of it.

    layers: numbers of the layers that stay, from 1, rising
    heads, units: per layer (of all, also of those that go), which attention heads and which units of the feed-forward
        network stay, from 0, rising
    zeros: share of each weight matrix of the layers, its smallest absolute values, that is zero
    int8: kinds of parts whose weights are held in 8 bits: `layers`, `pooler`, `embeddings`
    """

    layers: tuple[int, ...] | None = None
    heads: Kept | None = None
    units: Kept | None = None
    zeros: float | None = None
    int8: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """How an encoder differs from what its config describes: what it takes to rebuild it before its weights are read.

    heads, units: per layer, how many there are; None: as in the config
    int8: as in `Cut`; groups: layers that share their weights come in this many groups of adjacent ones; None: none do
    embedding_size: width of the token embeddings, which are then projected to the hidden size; None: not factorised
    """

    heads: tuple[int, ...] | None = None
    units: tuple[int, ...] | None = None
    int8: tuple[str, ...] = ()
    groups: int | None = None
    embedding_size: int | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values of what there is; `from_json` is its inverse."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value not in (None, ())
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Form:
        """The form that `to_json` wrote. Raises TypeError or ValueError where it is something else."""
        unknown = set(data) - set(cls.__slots__)
        if unknown:
            raise ValueError(f"unknown parts of a form: {', '.join(sorted(unknown))}")
        counts = {name: _counts(name, data[name]) for name in ("heads", "units") if name in data}
        kinds = tuple(data.get("int8", ()))
        if not set(kinds) <= {"layers", "pooler", "embeddings"}:
            raise ValueError(f"unknown parts in 8 bits: {kinds}")
        single = {name: _counts(name, [data[name]])[0] for name in ("groups", "embedding_size") if name in data}
        return cls(**counts, int8=kinds, **single)  # type: ignore[arg-type]

    def of_blank(self) -> Cut:
        """The cut that gives a model without weights this form."""
        heads, units = (
            None if each is None else tuple(tuple(range(count)) for count in each) for each in (self.heads, self.units)
        )
        return Cut(heads=heads, units=units, int8=self.int8)


def _counts(name: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(value) is int and value >= 1 for value in values):
        raise ValueError(f"{name}: expected whole numbers from 1, got {values!r}")
    return tuple(values)
