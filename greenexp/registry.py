"""Lazy registries: a name in a sweep file becomes a plug-in class only when it is asked for.

A room registers `"module:Class"` strings, so listing names imports nothing heavy; third parties add theirs through an
entry point group of the same name (`greenexp.methods`, `greenexp.backbones`, ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from greenexp.errors import GreenexpError, InputError, UnknownNameError

T = TypeVar("T")

LATER = "later"
"""Key in the metadata of a plug-in's dataclass field that was not there from the beginning: at its default it is in no
settings, so that trials which are older than the field keep their fingerprints, and can be gone on with."""


class Registry(Mapping[str, T], Generic[T]):
    """Names of one kind of plug-in, e.g. `Registry("method", {"finetune": "greenexp.methods.finetune:Finetune"})`.

    Built-in names win: an entry point that claims one is refused, so that a sweep file means the same everywhere.
    """

    def __init__(self, kind: str, builtin: Mapping[str, str], group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._targets: dict[str, str | EntryPoint | T] = dict(builtin)
        self._discovered = group is None

    def __getitem__(self, name: str) -> T:
        self._discover()
        target = self._targets.get(name)
        if target is None:
            raise UnknownNameError(self.kind, name, sorted(self._targets))
        if isinstance(target, EntryPoint):
            return cast(T, target.load())
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        return cast(T, getattr(import_module(module), attribute))

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._targets))

    def __len__(self) -> int:
        self._discover()
        return len(self._targets)

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._targets

    def add(self, name: str, plugin: T) -> None:
        """Register `plugin` in this process, in the place of one that was registered so before.

        Raises InputError if a built-in or installed one has the name.
        """
        self._discover()
        if isinstance(self._targets.get(name), str | EntryPoint):
            raise InputError(f"there is a {self.kind} '{name}' already (from {self.origin(name)})")
        self._targets[name] = plugin

    @property
    def added(self) -> dict[str, T]:
        """Name -> plug-in, of those that were registered in this process alone."""
        return {name: target for name, target in self._targets.items() if not isinstance(target, str | EntryPoint)}

    def origin(self, name: str) -> str:
        """`greenexp` for a built-in name, else the distribution that provides it."""
        self._discover()
        target = self._targets.get(name)
        if isinstance(target, EntryPoint):
            return target.dist.name if target.dist is not None else "unknown"
        return "greenexp" if isinstance(target, str) else "this process"

    def module(self, name: str) -> str | None:
        """The module of an installed plug-in, None of a built-in one and of one of this process alone."""
        self._discover()
        target = self._targets.get(name)
        return target.module if isinstance(target, EntryPoint) else None

    def _discover(self) -> None:
        if self._discovered:
            return
        found: dict[str, str | EntryPoint] = {}
        for point in entry_points(group=cast(str, self.group)):
            if point.name in self._targets or point.name in found:
                owner = point.dist.name if point.dist is not None else "a package"
                raise GreenexpError(f"{owner} registers {self.kind} '{point.name}', which already exists")
            found[point.name] = point
        self._targets.update(found)
        self._discovered = True


def registry_at(place: str) -> Registry[Any]:
    """The registry at `module:NAME`, for those who may not import the room that it is in."""
    module, _, attribute = place.partition(":")
    registry: Registry[Any] = getattr(import_module(module), attribute)
    return registry
