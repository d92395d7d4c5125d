"""From the type of a record to the shape of its JSON, and what is wrong with a value that does not have it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from enum import Enum
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict, is_typeddict

from greenexp.records.explain import message, shown

_CLOSED = ConfigDict(strict=True, extra="forbid")
_WHOLE = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""What a column of a table can hold."""
_NUMBER = Annotated[float, Field(gt=-1e150, lt=1e150, allow_inf_nan=False)]
"""Far above whatever is measured, and sums of its squares are finite."""
_EPOCHS = Annotated[float, Field(ge=0, lt=2**53, allow_inf_nan=False)]
"""`records.progress.Epochs`; a number may be whole."""
_SINGLE: Mapping[Any, Any] = {
    int: _WHOLE,
    float: _NUMBER,
    str: InstanceOf[str],  # faster than pydantic's own `str`, which copies
}


class Shape:
    """What the JSON of a record looks like.

    kind: a dataclass, a `TypedDict` of such, or what their fields may be; a field with a default may be absent, no
    other field may be there, and nothing is converted
    """

    def __init__(self, kind: Any) -> None:
        self._validator = TypeAdapter(json_shape(kind)).validator

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, JSON as Python reads it: the field and the reason; None if nothing is."""
        try:
            self._validator.validate_python(value)
        except ValidationError as error:
            return explained(error, value)
        return None


def json_shape(kind: Any) -> Any:
    """The type of the JSON of `kind`: mappings for classes, lists for tuples, values for enumerations."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _mapping(kind, [field.name for field in dataclasses.fields(kind) if not _is_required(field)])
    if is_typeddict(kind):
        return _mapping(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return dict[InstanceOf[str], Any]  # a section of the sweep file checks itself when it is made
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Literal[tuple(member.value for member in kind)]
    origin, inside = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        is_epochs = {int, float} <= set(inside) and bool not in inside
        shapes = [json_shape(one) for one in inside if not (is_epochs and one in (int, float))]
        return reduce(or_, shapes, _EPOCHS) if is_epochs else reduce(or_, shapes)
    if origin in {tuple, list}:
        each: Any = json_shape(inside[0])  # of a tuple of any length: `tuple[X, ...]`
        return list[each]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value: Any = json_shape(inside[1])
        return dict[InstanceOf[str], value]
    if origin is NotRequired:
        return json_shape(inside[0])
    if origin is Annotated:
        return Annotated[(json_shape(inside[0]), *inside[1:])]
    return _SINGLE.get(kind, kind)


def explained(error: ValidationError, value: Any) -> str:
    """The first of pydantic's errors: `record.costs.wall_s: expected a number, got 'x'`."""
    details = error.errors(include_url=False)[0]
    path = _path_within(value, details["loc"], lacks=details["type"] == "missing")
    whole = len(path) == len(details["loc"])  # else it is one of several that may stand there
    text = _message(details) if whole else f"{shown(details['input'])} is of a type that may not stand there"
    return ".".join([*map(str, path[:-1]), f"{path[-1]}: {text}"]) if path else text


def why_not_understood(error: Exception, kind: str, data: Mapping[str, Any]) -> str:
    """Why an event of this kind cannot be understood, in words."""
    if isinstance(error, ValidationError):
        spec = data["spec"]
        return explained(error, spec["settings"] if kind == "trial" else spec)
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _mapping(kind: Any, optional: Collection[str] = ()) -> Any:
    """optional: fields that may be absent, besides those that say so themselves."""
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if not name.startswith("__"):
            may_be_absent = name in optional or get_origin(hint) is NotRequired
            fields[name] = NotRequired[json_shape(hint)] if may_be_absent else json_shape(hint)
    config = getattr(kind, "__pydantic_config__", _CLOSED)
    return with_config(config)(TypedDict(kind.__name__, fields))  # type: ignore[operator]  # its fields are data


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _path_within(value: Any, loc: tuple[int | str, ...], *, lacks: bool) -> list[int | str]:
    """The part of pydantic's location that exists in the value; the rest says which member of a union was tried."""
    path: list[int | str] = []
    for part in loc:
        is_there = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if not is_there:
            return [*path, part] if lacks and part == loc[-1] else path
        value, path = value[part], [*path, part]
    return path


def _message(details: ErrorDetails) -> str:
    if details["type"] == "extra_forbidden":
        return "unknown: was it written by a newer greenexp?"
    if details["type"] == "is_instance_of":
        return message({**details, "type": "string_type"})
    return message(details)
