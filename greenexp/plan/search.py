"""From the space to points: random draws, a grid, or the points listed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from greenexp.records.search_space import Choice, GridSearch, Int, PointsSearch, RandomSearch, between
from greenexp.records.values import Value


@dataclass(frozen=True, slots=True)
class Point:
    """One configuration's searched values; `places`: searched path -> the dotted path it stands at in the file."""

    values: Mapping[str, Value]
    places: Mapping[str, str]
    place: str


def points(search: Any, space: Mapping[str, Any]) -> Iterator[Point]:
    """The points in the order of their configurations."""
    places = {path: f"space.{path}" for path in space}
    if isinstance(search, PointsSearch):
        for i, values in enumerate(search.points):
            place = f"search.points.{i}"
            yield Point(values, {path: f"{place}.{path}" for path in values}, place)
    elif isinstance(search, GridSearch):
        for combination in product(*(grid_values(distribution) for distribution in space.values())):
            yield Point(dict(zip(space, combination, strict=True)), places, "space")
    elif isinstance(search, RandomSearch):
        for i in range(search.samples):
            drawn = {path: draw(dist, generator(search.seed, i, path)) for path, dist in space.items()}
            yield Point(drawn, places, "space")


def generator(seed: int, sample: int, path: str) -> np.random.Generator:
    """The generator of one coordinate of one sample: child (sample, name of the path) of SeedSequence(seed).

    So neither more samples, nor another field in the space, nor the order of the file change what was drawn.
    """
    words = np.frombuffer(hashlib.sha256(path.encode()).digest()[:8], dtype="<u4")
    key = (sample, *(int(word) for word in words))
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def draw(distribution: Any, rng: np.random.Generator) -> Value:
    """One value: choice and int equally likely; uniform low + u (high - low); loguniform the same in the logarithm."""
    if isinstance(distribution, Choice):
        return distribution.values[int(rng.integers(len(distribution.values)))]
    if isinstance(distribution, Int):
        return distribution.low + int(rng.integers(distribution.count())) * distribution.step
    return between(distribution, float(rng.random()))


def grid_values(distribution: Any) -> tuple[Value, ...]:
    """The values a grid takes, in order; the ends exactly."""
    if isinstance(distribution, Choice):
        return distribution.values
    if isinstance(distribution, Int):
        return tuple(range(distribution.low, distribution.high + 1, distribution.step))
    inner = (between(distribution, i / (distribution.steps - 1)) for i in range(1, distribution.steps - 1))
    return (distribution.low, *inner, distribution.high)
