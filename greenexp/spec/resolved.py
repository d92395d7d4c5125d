"""A sweep as plain data and as YAML, with every default written out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from greenexp.records.sweep_spec import SweepSpec
from greenexp.spec.yaml12 import core_resolvers


def resolved(spec: SweepSpec) -> dict[str, Any]:
    """The sweep as JSON-like data, defaults filled in, quantities in base units."""
    return spec.model_dump(mode="json")


def dump_resolved(spec: SweepSpec) -> str:
    """The sweep as YAML that `load_sweep` reads back as an equal spec."""
    return to_yaml(resolved(spec))


def to_yaml(data: Any, *, one_line: bool = False) -> str:
    """Plain data as YAML that `load_sweep` reads back as it was; a tuple is a list, a path its text.

    Raises yaml.YAMLError for a value of another type.
    """
    layout: dict[str, Any] = {"default_flow_style": True, "width": 10**9} if one_line else {"width": 100}
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, **layout)
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would take for something else than text, and repeats instead of making aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = core_resolvers()

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's signature
        """A person reads this file: every value stands where it belongs."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    r"""Text with a line break other than \n is escaped: PyYAML does not write it faithfully in single quotes."""
    style = '"' if any(character in text for character in _OTHER_BREAKS) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _mapping(dumper: _Dumper, data: Mapping[Any, Any]) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", dict(data))


_OTHER_BREAKS = "\r\x85\u2028\u2029"
_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, _Dumper.represent_list)
_Dumper.add_multi_representer(PurePath, lambda dumper, path: _text(dumper, str(path)))
_Dumper.add_multi_representer(Mapping, _mapping)  # type: ignore[type-abstract]
