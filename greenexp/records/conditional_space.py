"""Spaces in which some fields exist only under conditions: which fields a configuration has.

A field with `when` is in a configuration if every field that `when` names is, with one of the values listed for it. The
fields named are choices, and may have conditions themselves. So what a field requires is one set of values for each
field that it depends on, directly or through others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from greenexp.errors import did_you_mean
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice, Distribution
from greenexp.records.values import Value, canonical_json

Space = Mapping[str, Distribution]
"""Dotted path of a field -> its distribution."""


def is_conditional(space: Space) -> bool:
    """Whether some configurations have fields that others do not have."""
    return any(distribution.when for distribution in space.values())


def parents_first(space: Space) -> tuple[str, ...]:
    """The fields in the order of the space, but each after those that it depends on; those of a cycle last."""
    ordered: dict[str, None] = {}
    waiting = list(space)
    while waiting:
        path = next((path for path in waiting if _others(space, path) <= ordered.keys()), None)
        if path is None:
            return (*ordered, *waiting)
        ordered[path] = None
        waiting.remove(path)
    return tuple(ordered)


def _others(space: Space, path: str) -> set[str]:
    """The fields of the space that `path` depends on directly."""
    return {other for other in space[path].when if other in space}


def is_among(value: Any, values: Sequence[Any]) -> bool:
    """Whether a value is one of those listed: 1, 1.0 and true are three, a list and a tuple are the same."""
    return canonical_json(value) in map(canonical_json, values)


def holds(distribution: Distribution, values: Mapping[str, Any]) -> bool:
    """Whether a configuration with these values has the field, as far as its own `when` says."""
    return all(path in values and is_among(values[path], allowed) for path, allowed in distribution.when.items())


def chosen(space: Space, choose: Callable[[str], Value]) -> dict[str, Value]:
    """Field -> value of one configuration, in the order of the space; `choose` is asked for the fields that it has.

    It is asked for a field after those that the field depends on.
    """
    values: dict[str, Value] = {}
    for path in parents_first(space):
        if holds(space[path], values):
            values[path] = choose(path)
    return {path: values[path] for path in space if path in values}


def required(space: Space, path: str) -> dict[str, tuple[Value, ...]]:
    """Field -> the values that it must have for `path` to be in a configuration; nothing may be left of them."""
    found: dict[str, tuple[Value, ...]] = {}
    waiting, seen = [path], {path}
    while waiting:
        for other, allowed in space[waiting.pop()].when.items():
            before = found.get(other, allowed)
            found[other] = tuple(value for value in before if is_among(value, allowed))
            if other in space and other not in seen:
                seen.add(other)
                waiting.append(other)
    return found


def completed(space: Space, given: Mapping[str, Any]) -> dict[str, Value]:
    """A configuration with the values given, as far as it has these fields, and the first value of each other field."""
    return chosen(space, lambda path: given[path] if path in given else next(iter(space[path].ends().values())))


def with_field(space: Space, path: str, value: Any) -> dict[str, Value] | None:
    """A configuration with `value` at `path` and as many first values as that allows; None if none has the field."""
    requirements = required(space, path)
    if path in requirements or not all(other in space and allowed for other, allowed in requirements.items()):
        return None
    needed = {other: _first_among(space[other], allowed) for other, allowed in requirements.items()}
    return completed(space, {**needed, path: value})


def _first_among(distribution: Distribution, allowed: Sequence[Value]) -> Value:
    """The first of a choice's values that is allowed, as the choice has it."""
    return next((value for value in distribution.ends().values() if is_among(value, allowed)), allowed[0])


def space_under(space: Space, path: str, value: Any) -> dict[str, Distribution]:
    """What is left to search where `path` has this value: fields that need another are out, and no condition is on it.

    ValueError if `path` has conditions itself.
    """
    if space[path].when:
        raise ValueError(f"'{path}' is not in every configuration")
    left: dict[str, Distribution] = {}
    for field in parents_first(space):
        when = dict(space[field].when)
        fits = is_among(value, when.pop(path, (value,)))
        if field != path and fits and when.keys() <= left.keys():
            left[field] = space[field].model_copy(update={"when": when})
    return {field: left[field] for field in space if field in left}


def condition_problems(space: Space, written: Sequence[str]) -> Iterator[FieldProblem]:
    """What is wrong with the conditions of a space. `written`: the fields of the file, also those that are wrong."""
    for path, distribution in space.items():
        at = f"space.{path}.when"
        for other, allowed in distribution.when.items():
            yield from _condition_problems(f"{at}.{other}", other, allowed, space, written)
        requirements = required(space, path)
        if path in requirements:
            yield FieldProblem(at, f"'{path}' depends on itself")
        elif any(not allowed for allowed in requirements.values()):
            never = next(other for other, allowed in requirements.items() if not allowed)
            yield FieldProblem(at, f"never holds: no value of '{never}' meets all that '{path}' depends on")


def _condition_problems(
    at: str, other: str, allowed: Sequence[Value], space: Space, written: Sequence[str]
) -> Iterator[FieldProblem]:
    known = space.get(other)
    if known is None and other not in written:
        message = f"'{other}' is not a field of 'space'{did_you_mean(other, written)}: a condition is on a searched one"
        yield FieldProblem(at, message, of_key=True)
    elif isinstance(known, Choice):
        wrong = [value for value in allowed if not is_among(value, known.values)]
        if wrong:
            listed = ", ".join(map(canonical_json, known.values))
            yield FieldProblem(at, f"{canonical_json(wrong[0])} is not among the values of '{other}': {listed}")
    elif known is not None:
        message = f"'{other}' is a range ({known.dist}): a condition lists values of a field with dist: choice"
        yield FieldProblem(at, message, of_key=True)
