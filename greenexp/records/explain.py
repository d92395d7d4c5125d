"""Pydantic's errors in a user's words, each at its place in the sweep file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from greenexp.errors import Problem, did_you_mean
from greenexp.records.places import Places, dotted, problem_at
from greenexp.records.search_space import DISTRIBUTIONS

Part = str | int

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "none_required": "null",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "multiple_of": ("a multiple of", "multiple_of"),
}


def problems_of(error: ValidationError, places: Places, model: type[BaseModel]) -> list[Problem]:
    """One problem per path of what pydantic found wrong with a whole `model`: a sweep file, or a section of one."""
    found: dict[str, Problem] = {}
    for details in error.errors(include_url=False):
        parts = _in_file(details["loc"])
        of_key = details["type"] == "extra_forbidden"
        known = tuple(fields_at(details["loc"][:-1], model)) if of_key else ()
        problem = problem_at(places, dotted(*parts), message(details, known), of_key=of_key)
        found.setdefault(problem.path, problem)
    return list(found.values())


def message(details: ErrorDetails, known: Sequence[str] = ()) -> str:
    """What is wrong with one value; `known` are the fields an unknown one could have meant."""
    kind, context, value = details["type"], details.get("ctx", {}), details.get("input")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return unknown_field(str(details["loc"][-1]), known)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"must be {words} {context[key]}, got {shown(value)}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {shown(value)}"
    if kind in {"model_type", "model_attributes_type", "dataclass_type"}:
        inside = f"name: {value}" if str(context.get("class_name")).endswith("Choice") and value else "key: value"
        return f"expected a mapping such as {{{inside}}}, got {shown(value)}"
    if kind == "literal_error":
        return f"expected {context['expected']}, got {shown(value)}{_nearest(value, context['expected'])}"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _untagged(details)
    return _rest(details)


def _rest(details: ErrorDetails) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details.get("input")
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    if kind == "string_too_short":
        return "may not be empty"
    if kind == "string_pattern_mismatch":
        return (
            f"{shown(value)} is not a name: 1 to 100 letters, digits, dots, dashes and underscores, "
            "beginning with a letter or a digit"
        )
    if kind == "too_short":
        return "expected at least one entry"
    return f"{details['msg']}, got {shown(value)}"


def _untagged(details: ErrorDetails) -> str:
    """A distribution without a known `dist`."""
    known, value = DISTRIBUTIONS, details.get("input")
    if not isinstance(value, Mapping):
        return f"expected a mapping such as {{dist: loguniform, low: 1e-5, high: 1e-3}}, got {shown(value)}"
    if "dist" not in value:
        nested = any(isinstance(inner, Mapping) for inner in value.values())
        hint = "; write the dotted path of a field as the key" if nested else ""
        return f"has no 'dist': one of {', '.join(known)}{hint}"
    name = value["dist"]
    return f"unknown dist {shown(name)}{did_you_mean(str(name), known)} (known: {', '.join(known)})"


def unknown_field(name: str, known: Sequence[str]) -> str:
    """`unknown field 'epoch' (did you mean 'epochs'?) (known: ...)`."""
    listed = f" (known: {', '.join(known)})" if known else " (it has no fields)"
    return f"unknown field '{name}'{did_you_mean(name, known)}{listed}"


def shown(value: Any) -> str:
    """A value as the user would recognise it, cut to a line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(value: Any, expected: str) -> str:
    options = [part.strip(" '\"") for part in expected.replace(" or ", ",").split(",")]
    return did_you_mean(value, options) if isinstance(value, str) else ""


def _in_file(loc: tuple[Part, ...]) -> tuple[Part, ...]:
    """The location without what pydantic adds for unions: `space.<path>.<dist>.low`."""
    if loc[:1] == ("space",) and len(loc) > 2:
        return (*loc[:2], *loc[3:])
    return tuple(loc)


def fields_at(loc: Sequence[Part], whole: type[BaseModel]) -> Iterator[str]:
    """The names of all fields allowed in the mapping at pydantic's location `loc` of a `whole`."""
    model: Any = whole
    if loc[:1] == ("space",) and len(loc) == 3:
        model = DISTRIBUTIONS.get(str(loc[2]))
    else:
        for part in loc:
            known = isinstance(model, type) and issubclass(model, BaseModel)
            field = model.model_fields.get(str(part)) if known else None
            model = field.annotation if field else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        yield from model.model_fields
