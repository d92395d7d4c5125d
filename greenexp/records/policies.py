"""Which exit policies a sweep's tables are about: those of its file, and those added to its record later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STATIC = "static"
"""Every exit used alone: what the others are compared with, in every table of operating points."""
DEFAULT_POLICIES = ("max_probability", "patience")
"""Replayed where a sweep file says nothing; `STATIC` is always there."""


def with_added(policies: Iterable[Any], added: Iterable[Any]) -> tuple[Any, ...]:
    """`policies` (mappings with a name and options) and those `added`, each once; one without options is its name."""
    kept: list[Any] = []
    for policy in (*policies, *added):
        plain = policy["name"] if isinstance(policy, Mapping) and set(policy) == {"name"} else policy
        if plain not in kept:
            kept.append(plain)
    return tuple(kept)
