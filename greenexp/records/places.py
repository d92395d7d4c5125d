"""Where in the sweep file a value stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from greenexp.errors import Problem

Position = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Something wrong at a dotted path; `of_key`: with the field's name, not its value; `missing`: it is not there.

    `problem_at` makes of it an `errors.Problem`, which knows file, line and column.
    """

    path: str
    message: str
    of_key: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key and its value begin; None where there is none: a list item has no key, `--set` no lines."""

    source: str
    key: Position | None = None
    value: Position | None = None


Places = Mapping[str, Place]
"""Dotted path -> place; the whole document is the empty path. List items count from 0 (`search.points.0`)."""


def dotted(*parts: str | int) -> str:
    """The parts of a path joined by dots; empty parts are left out."""
    return ".".join(str(part) for part in parts if part != "")


def find(places: Places, path: str) -> tuple[Place | None, bool]:
    """The place of `path`, or of its nearest ancestor that has one; and whether it is `path` itself."""
    at = path
    while at not in places and at:
        at = at.rpartition(".")[0]
    return places.get(at), at == path


def problem_at(places: Places, path: str, message: str, *, of_key: bool = False) -> Problem:
    """A problem at `path`: at its value, or with `of_key` at its key; where it is absent, at what should hold it."""
    place, exact = find(places, path)
    if place is None:
        return Problem(path, message)
    first, second = (place.key, place.value) if of_key or not exact else (place.value, place.key)
    line, column = first or second or (None, None)
    return Problem(path, message, place.source, line, column)
