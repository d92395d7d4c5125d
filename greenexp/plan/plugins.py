"""The registries a sweep file is checked against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from greenexp.registry import Registry, registry_at

Plugins = Mapping[str, Mapping[str, type[Any]]]
"""Path of a plug-in section (`task`, `backbone`, `exits.head`, `method`, `compression`, `search`, `scheduler`), or of a
list of them (`replay.policies`) -> its registry."""

REGISTRIES: Mapping[str, str] = {
    "task": "greenexp.tasks:TASKS",
    "backbone": "greenexp.backbones:BACKBONES",
    "exits.head": "greenexp.exits:HEADS",
    "method": "greenexp.methods:METHODS",
    "compression": "greenexp.compression:COMPRESSIONS",
    "search": "greenexp.searches:SEARCHES",
    "scheduler": "greenexp.schedulers:SCHEDULERS",
    "replay.policies": "greenexp.exits:POLICIES",
}
"""Path as in `Plugins` -> where the registry is."""


class AddedPlugin(NamedTuple):
    """A plug-in that was registered in this process: the path of its kind, its name, its class."""

    path: str
    name: str
    plugin: type[Any]


def installed() -> Plugins:
    """What greenexp and the installed packages provide; a plug-in's module is imported when it is looked up."""
    return {path: registry_at(place) for path, place in REGISTRIES.items()}


def registry_of(path: str) -> Registry[type[Any]]:
    """The registry of the plug-ins at a path of `REGISTRIES`."""
    return registry_at(REGISTRIES[path])


def added_plugins() -> Iterator[AddedPlugin]:
    """What was registered in this process alone: other processes of a sweep have to be given it."""
    for path in REGISTRIES:
        for name, plugin in registry_of(path).added.items():
            yield AddedPlugin(path, name, plugin)


def add_plugins(plugins: tuple[AddedPlugin, ...]) -> None:
    """Register in this process what another one had registered; what is installed here too stays as it is."""
    for path, name, plugin in plugins:
        if registry_of(path).module(name) is None:
            registry_of(path).add(name, plugin)
