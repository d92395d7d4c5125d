"""A plug-in section against the plug-in: whether there is one of that name, with these fields, and the values fit."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from greenexp.errors import GreenexpError, did_you_mean
from greenexp.records.explain import message, unknown_field
from greenexp.records.places import FieldProblem, dotted
from greenexp.registry import LATER


@dataclass(frozen=True, slots=True)
class Checked:
    """A plug-in section with every field filled in, plain JSON values; None if something is wrong.

    plugin: the plug-in with these fields
    """

    settings: dict[str, Any] | None
    problems: tuple[FieldProblem, ...] = ()
    plugin: Any = None


def check_plugin(path: str, section: Mapping[str, Any], registry: Mapping[str, type[Any]]) -> Checked:
    """Check `section` (`name` and fields) of the plug-in section at `path`, e.g. `exits.head`."""
    options = {key: value for key, value in section.items() if key != "name"}
    name = section.get("name")
    if not isinstance(name, str) or name not in registry:
        known = list(registry)
        text = f"unknown name {name!r}{did_you_mean(str(name), known)} (known: {', '.join(known) or 'none'})"
        return Checked(None, (FieldProblem(f"{path}.name", text),))
    try:
        plugin = registry[name]
    except (ImportError, AttributeError) as error:
        return Checked(None, (FieldProblem(f"{path}.name", f"'{name}' cannot be loaded: {error}"),))
    known = [field.name for field in dataclasses.fields(plugin) if field.init]
    found = [
        FieldProblem(f"{path}.{key}", f"{name}: {unknown_field(key, known)}", of_key=True)
        for key in options
        if key not in known
    ]
    options = {key: value for key, value in options.items() if key in known}
    try:
        made, filled = _filled(plugin, options)
    except ValidationError as error:
        return Checked(None, (*found, *_explained(path, options, error)))
    except GreenexpError as error:
        return Checked(None, (*found, FieldProblem(path, str(error))))
    return Checked(None, tuple(found)) if found else Checked({"name": name, **filled}, plugin=made)


@lru_cache(maxsize=256)
def _adapter(plugin: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, plugin))


def _filled(plugin: type[Any], options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The plug-in made from `options`, and its fields. JSON mode: lists may be tuples, but no text is a number.

    Fields that plug-ins got later (`LATER`) are left out at their defaults: older trials keep their fingerprints.
    """
    adapter = _adapter(cast(Hashable, plugin))
    instance = adapter.validate_json(json.dumps(options), strict=True)
    dumped: dict[str, Any] = adapter.dump_python(instance, mode="json")
    fields = [field for field in dataclasses.fields(plugin) if field.init]
    told = [field.name for field in fields if not (LATER in field.metadata and dumped[field.name] == field.default)]
    return instance, {name: dumped[name] for name in told}


def _explained(path: str, options: Mapping[str, Any], error: ValidationError) -> Iterator[FieldProblem]:
    """One finding per field; the branches of a union say what each of them expected."""
    texts: dict[str, list[str]] = {}
    missing: set[str] = set()
    for details in error.errors(include_url=False):
        at = dotted(path, *_in_options(details["loc"], options))
        text = message(details)
        if details["type"] == "missing":
            at = dotted(path, *details["loc"])
            missing.add(at)
        if text not in texts.setdefault(at, []):
            texts[at].append(text)
    for at, alternatives in texts.items():
        yield FieldProblem(at, "; or ".join(alternatives), missing=at in missing)


def _in_options(loc: tuple[str | int, ...], options: Any) -> Iterator[str | int]:
    """The leading parts of pydantic's location that are in the file; what follows names branches of unions."""
    for part in loc:
        inside = isinstance(options, Mapping) and part in options
        if not inside and not (isinstance(options, list) and isinstance(part, int) and part < len(options)):
            return
        yield part
        options = options[part]
