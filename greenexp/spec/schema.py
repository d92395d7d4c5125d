"""The JSON schema of a sweep file, for editors: `# yaml-language-server: $schema=...`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.records.sweep_spec import SweepSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(names: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
    """The schema (draft 2020-12). `names`: dotted path of a plug-in section -> names to offer there.

    Keys of `names` are `task`, `backbone`, `exits.head`, `method`, `compression`, `search`, `scheduler` and
    `replay.policies`, a list in which a plug-in may be its name alone. Fields of plug-ins are left open.
    """
    schema = SweepSpec.model_json_schema()
    schema["$schema"] = DIALECT
    schema["title"] = "greenexp sweep"
    policies = _owner(schema, "replay.policies")["policies"]
    policies["items"] = {"anyOf": [{"type": "string"}, policies["items"]]}
    for path, known in (names or {}).items():
        _offer(schema, path, known)
    return schema


def plugin_schema(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """The part of `json_schema(names)` that says what the plug-in at `path` may be: its `allOf` takes more rules."""
    field = _owner(schema, path)[path.rpartition(".")[2]]
    found: dict[str, Any] = field["items"]["anyOf"][1] if field.get("type") == "array" else field
    return found


def _owner(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """The properties among which the last part of `path` is."""
    section, _, inner = path.partition(".")
    found: dict[str, Any] = schema["$defs"][section.capitalize()]["properties"] if inner else schema["properties"]
    return found


def _offer(schema: dict[str, Any], path: str, known: tuple[str, ...]) -> None:
    """Restrict the `name` of the plug-in at `path`, or of those in the list there, to `known`."""
    owner, last = _owner(schema, path), path.rpartition(".")[2]
    field = owner[last]
    restricted: dict[str, Any] = {
        "allOf": [{"$ref": next(_references(field))}, {"properties": {"name": {"enum": list(known)}}}]
    }
    if field.get("type") == "array":
        field["items"] = {"anyOf": [{"enum": list(known)}, restricted]}
        return
    optional = {"type": "null"} in field.get("anyOf", ())
    if optional:  # none of the rules applies to null, but for what a component is
        restricted["allOf"][0] = {"if": {"not": {"type": "null"}}, "then": restricted["allOf"][0]}
    owner[last] = {
        **restricted,
        "description": field.get("description", ""),
        **({"default": field["default"]} if "default" in field else {}),
    }


def _references(schema: Any) -> Iterator[str]:
    """Every definition that is referred to inside a schema."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"])
        for inner in schema.values():
            yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)
