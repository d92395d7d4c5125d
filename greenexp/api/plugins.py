"""Plug-ins of the user's own, registered while a program runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from greenexp.errors import InputError, UnknownNameError
from greenexp.plan.plugins import registry_of

C = TypeVar("C", bound=type[Any])

KINDS = {
    "task": "task",
    "backbone": "backbone",
    "head": "exits.head",
    "method": "method",
    "compression": "compression",
    "policy": "replay.policies",
    "search": "search",
    "scheduler": "scheduler",
}
"""Kind of plug-in -> the path of its section in a sweep file."""


def register(kind: str, name: str) -> Callable[[C], C]:
    """Make a class of your own a plug-in, so that a sweep can name it like any other.

    >>> import dataclasses, greenexp
    >>> from greenexp.methods.branchynet import BranchyNet
    >>> @greenexp.register("method", "my_branchynet")
    ... @dataclasses.dataclass(frozen=True)
    ... class MyBranchyNet(BranchyNet):
    ...     weights: str = "linear"
    >>> greenexp.plan("smoke", set={"method": {"name": "my_branchynet"}}).trials[0].settings.method.name
    'my_branchynet'

    Parameters
    ----------
    kind : str, required
        `task`, `backbone`, `head`, `method`, `compression`, `policy`, `search` or `scheduler`.
    name : str, required
        The name in a sweep. One that was registered before in this process is replaced.

    Returns
    -------
    decorator
        Of a frozen dataclass whose fields are the settings and whose docstring is the card; see docs/extending.md for
        what each kind has to offer. It holds in this process; the workers of a sweep that `run` starts are given it.

    Raises
    ------
    InputError
        For a class that is no frozen dataclass, and for a name that greenexp or an installed package has.
    UnknownNameError
        For another kind.

    """
    if kind not in KINDS:
        raise UnknownNameError("kind of plug-in", kind, list(KINDS))

    def add(plugin: C) -> C:
        parameters = getattr(plugin, "__dataclass_params__", None)
        if not dataclasses.is_dataclass(plugin) or parameters is None or not parameters.frozen:
            raise InputError(f"the {kind} '{name}' must be a frozen dataclass: its fields are its settings")
        registry_of(KINDS[kind]).add(name, plugin)
        return plugin

    return add
