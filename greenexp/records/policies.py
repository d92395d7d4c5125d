"""Which exit policies a sweep's tables are about: those of its file, and those added to its record later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DEFAULT_POLICIES = ("max_probability", "patience")
"""Replayed where a sweep file says nothing; `static`, every exit by itself, is always there."""


def policies_of(spec: Mapping[str, Any], added: Iterable[Any] = ()) -> list[Any]:
    """The policies to replay, each once, in the order of the file and then of their adding.

    spec: the resolved sweep file, which has no section `replay` if an earlier version wrote it
    """
    replay = spec.get("replay") or {}
    found: list[Any] = []
    for policy in (*replay.get("policies", DEFAULT_POLICIES), *added):
        plain = policy["name"] if isinstance(policy, Mapping) and set(policy) == {"name"} else policy
        if plain not in found:
            found.append(plain)
    return found
