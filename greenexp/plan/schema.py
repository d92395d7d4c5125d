"""The JSON schema of sweep files with the plug-ins that are installed: names and fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from greenexp.plan.plugins import Plugins, installed
from greenexp.records.sections import SearchChoice
from greenexp.spec import json_schema
from greenexp.spec.schema import plugin_schema


def editor_schema(plugins: Plugins | None = None) -> dict[str, Any]:
    """`greenexp.spec.json_schema` plus every plug-in's name and fields; imports them all."""
    plugins = installed() if plugins is None else plugins
    schema = json_schema({path: tuple(registry) for path, registry in plugins.items()})
    for path, registry in plugins.items():
        shared = SearchChoice.model_json_schema()["properties"] if path == "search" else {}
        plugin_schema(schema, path)["allOf"] += [_fields(name, registry[name], shared) for name in registry]
    return schema


def _fields(name: str, plugin: type[Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """If the section has this name, then it has these fields, those that plug-ins of its kind share, and no others."""
    try:
        own = TypeAdapter(plugin).json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    except PydanticUserError:  # a field's type without a schema: its values are still checked by the plan
        return {}
    if "$defs" in own:  # nested dataclasses: offer the names, leave the values to the plan
        own = {"properties": {field: {} for field in own["properties"]}}
    then = {"properties": {**shared, "name": {}, **own.get("properties", {})}, "additionalProperties": False}
    return {"if": {"properties": {"name": {"const": name}}}, "then": then}
