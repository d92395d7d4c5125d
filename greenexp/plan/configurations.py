"""From a point to the settings of a configuration: values set, sections validated, defaults filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from greenexp.plan.fields import check_plugin
from greenexp.plan.plugins import Plugins
from greenexp.records.explain import message
from greenexp.records.file_section import FileSection
from greenexp.records.places import FieldProblem, dotted
from greenexp.records.sections import Exits, Metric, Training
from greenexp.records.settings import DEFAULT_HEAD, NO_COMPRESSION, SECTIONS, Settings
from greenexp.spec.paths import PLUGINS, value_at, with_value

_USUAL: dict[str, dict[str, Any]] = {"exits.head": {"name": DEFAULT_HEAD}, "compression": NO_COMPRESSION.to_json()}
_MODELS: dict[str, type[FileSection]] = {"exits": Exits, "training": Training, "metric": Metric}


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings of one configuration, None if something is wrong."""

    settings: Settings | None
    problems: tuple[FieldProblem, ...] = ()


def resolve(base: Mapping[str, Any], values: Mapping[str, Any], plugins: Plugins) -> Resolved:
    """The sections of `base` (plain data) with `values` set at their dotted paths, checked and filled in."""
    data = dict(base)
    for path, value in values.items():
        data = with_value(data, path, value)
    found: list[FieldProblem] = []
    for name, model in _MODELS.items():
        try:
            data[name] = model.model_validate(data[name]).model_dump(mode="json")
        except ValidationError as error:
            found += [FieldProblem(dotted(name, *d["loc"][:1]), message(d)) for d in error.errors(include_url=False)]
    data = with_method_defaults(data, plugins)
    for path in PLUGINS:
        checked = check_plugin(path, value_at(data, path) or {}, plugins[path])
        found += checked.problems
        if checked.settings is not None:
            data = with_value(data, path, checked.settings)
    if found:
        return Resolved(None, tuple(found))
    settings = Settings.from_json({name: data[name] for name in SECTIONS})
    found += _exits_fit(settings)
    return Resolved(None if found else settings, tuple(found))


def with_method_defaults(sections: Mapping[str, Any], plugins: Plugins) -> dict[str, Any]:
    """`sections` with what the method's publication uses where the file says nothing; see `methods.base.Method`.

    A default for a field that the chosen plug-in does not have is left out.
    """
    data = dict(sections)
    method = _plugin_class(data, "method", plugins)
    for path, value in {**_USUAL, **getattr(method, "defaults", {})}.items():
        if path in PLUGINS:
            data = with_value(data, path, _completed(value_at(data, path), value))
        elif value_at(data, path) is None and _has_field(data, path, plugins):
            data = with_value(data, path, value)
    return data


def _completed(written: Any, default: Mapping[str, Any]) -> dict[str, Any]:
    """A plug-in section with its default; one that names a plug-in is the file's own affair."""
    fields = dict(written or {})
    return fields if "name" in fields else {**default, **fields}


def _has_field(data: Mapping[str, Any], path: str, plugins: Plugins) -> bool:
    section, _, name = path.rpartition(".")
    plugin = _plugin_class(data, section, plugins)
    return plugin is not None and name in {field.name for field in dataclasses.fields(plugin)}


def _plugin_class(data: Mapping[str, Any], path: str, plugins: Plugins) -> Any:
    """The plug-in that a section names, None if there is none of that name or it cannot be loaded."""
    name = value_at(data, f"{path}.name")
    try:
        return plugins[path][name] if isinstance(name, str) and name in plugins[path] else None
    except (ImportError, AttributeError):
        return None


def _exits_fit(settings: Settings) -> Iterator[FieldProblem]:
    """Exits on layers that exist, the last included; only where the file says how many layers there are."""
    layers, depth, chosen = settings.exits.layers, _depth(settings), settings.metric.exit
    count = None if isinstance(layers, str) else len(layers)
    if depth is not None:
        if not isinstance(layers, str) and layers[-1] != depth:
            text = f"the last exit must be on the last layer, {depth}, got {list(layers)}"
            yield FieldProblem("exits.layers", text)
        count = depth if layers == "all" else count
    if isinstance(chosen, int) and count is not None and chosen > count:
        yield FieldProblem("metric.exit", f"there are {count} exits, got {chosen}")


def _depth(settings: Settings) -> int | None:
    """How many layers the backbone has, as far as its section alone says; None: its source does."""
    layers = settings.backbone.options.get("layers")
    if type(layers) is int:
        return layers
    depth = getattr(settings.backbone.plugin(), "num_layers", None)
    return depth if type(depth) is int else None
