"""Dotted paths of fields a search may set."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from greenexp.errors import did_you_mean
from greenexp.records.sections import Exits, Training
from greenexp.records.sweep_spec import SWEEP_FIELDS

SEARCHABLE = ("task", "backbone", "exits", "method", "compression", "training")
"""Sections that make a trial what it is; the rest says how the sweep runs."""

PLUGINS = ("task", "backbone", "exits.head", "method", "compression")
"""Paths of the plug-ins inside them."""


def wrong_path(path: str) -> str | None:
    """Why `path` cannot be searched, or None; fields of plug-ins are not looked into."""
    section, _, rest = path.partition(".")
    if section not in SEARCHABLE:
        if section in SWEEP_FIELDS:
            return f"fields of '{section}' cannot be searched, only those of {', '.join(SEARCHABLE)}"
        return f"'{path}' is not the path of a field: '{section}' is no section{_meant(path, section)}"
    parts = rest.split(".") if rest else []
    if "" in parts or not parts:
        return f"'{path}' is not the path of a field: write e.g. training.learning_rate"
    if path == "training.reports_per_epoch":
        return "reports_per_epoch cannot be searched: trials that are scored more often have better best scores"
    if path == "training.report_dev":
        return "report_dev cannot be searched: scores on different examples are not compared"
    if section == "training":
        return _known_field(path, parts, tuple(Training.model_fields))
    if section == "exits":
        return _exits_path(path, parts)
    return None


def _exits_path(path: str, parts: list[str]) -> str | None:
    if parts[0] != "head":
        return _known_field(path, parts, tuple(Exits.model_fields))
    return None if len(parts) > 1 else f"'{path}' is a plug-in: write exits.head.name or one of its fields"


def _known_field(path: str, parts: list[str], known: tuple[str, ...]) -> str | None:
    if parts[0] not in known:
        return f"'{path}' is not the path of a field{did_you_mean(parts[0], known)} (known: {', '.join(known)})"
    return None if len(parts) == 1 else f"'{path}' is not the path of a field: '{parts[0]}' has no fields"


def _meant(path: str, section: str) -> str:
    if "." not in path and path in Training.model_fields:
        return f" (did you mean 'training.{path}'?)"
    return did_you_mean(section, SEARCHABLE)


def with_value(data: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A deep copy of `data` with `value` at the dotted `path`; what lies on the way becomes a mapping if it is none."""
    return with_values(data, {path: value})


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of `data` with a value at each dotted path, one after the other, as `with_value`."""
    copied: dict[str, Any] = copy.deepcopy(dict(data))
    for path, value in values.items():
        *way, last = path.split(".")
        inner = copied
        for part in way:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[last] = value
    return copied


def value_at(data: Any, path: str) -> Any:
    """The value at the dotted `path`, None where there is none."""
    for part in path.split("."):
        data = data.get(part) if isinstance(data, Mapping) else None
    return data
