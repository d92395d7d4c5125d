"""The JSON schema of a sweep file, for editors: `# yaml-language-server: $schema=...`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.spec.sweep import SweepSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(names: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
    """The schema (draft 2020-12). `names`: dotted path of a plug-in section -> names to offer there.

    Keys of `names` are `task`, `backbone`, `exits.head`, `method`, `scheduler`. Fields of plug-ins are left open.
    """
    schema = SweepSpec.model_json_schema()
    schema["$schema"] = DIALECT
    schema["title"] = "greenexp sweep"
    for path, known in (names or {}).items():
        _offer(schema, path, known)
    return schema


def _offer(schema: dict[str, Any], path: str, known: tuple[str, ...]) -> None:
    """Restrict the `name` of the plug-in at `path` to `known`."""
    definitions = schema["$defs"]
    section, _, inner = path.partition(".")
    owner = definitions[section.capitalize()]["properties"] if inner else schema["properties"]
    field = owner[inner or section]
    description = field.get("description", "")
    restricted = {"properties": {"name": {"enum": list(known)}}}
    owner[inner or section] = {
        "allOf": [{"$ref": "#/$defs/Component"}, restricted],
        "description": description,
        **({"default": field["default"]} if "default" in field else {}),
    }
