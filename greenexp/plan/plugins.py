"""The registries a sweep file is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plugins = Mapping[str, Mapping[str, type[Any]]]
"""Path of a plug-in section (`task`, `backbone`, `exits.head`, `method`, `search`, `scheduler`), or of a list of them
(`replay.policies`) -> its registry."""


def installed() -> Plugins:
    """What greenexp and the installed packages provide; a plug-in's module is imported when it is looked up."""
    from greenexp.backbones import BACKBONES
    from greenexp.exits import HEADS, POLICIES
    from greenexp.methods import METHODS
    from greenexp.schedulers import SCHEDULERS
    from greenexp.searches import SEARCHES
    from greenexp.tasks import TASKS

    return {
        "task": TASKS,
        "backbone": BACKBONES,
        "exits.head": HEADS,
        "method": METHODS,
        "search": SEARCHES,
        "scheduler": SCHEDULERS,
        "replay.policies": POLICIES,
    }
