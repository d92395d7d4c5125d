"""What training the models of other sweeps cost, by which a sweep's trials were taught or from which they began."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

ORIGINS = "origins"
"""The fact of a session that holds it, a list."""


class OriginFact(TypedDict):
    """A sweep, or a model that lies in none.

    sources: what the sweep file calls it -> identity of the model that is meant
    train_flops: training FLOPs of all its trials, and of the sweeps that it began with itself; None: not on record
    """

    sources: dict[str, str]
    train_flops: float | None


def recorded_origins(sessions: Iterable[Mapping[str, Any]]) -> tuple[OriginFact, ...]:
    """Those of all sessions, each set of sources once; () of a sweep that began with no model of another one."""
    found: dict[tuple[str, ...], OriginFact] = {}
    for session in sessions:
        for fact in session.get(ORIGINS) or ():
            found.setdefault(tuple(fact["sources"]), fact)
    return tuple(found.values())


def origins_flops(origins: Iterable[OriginFact]) -> float:
    """Training FLOPs of all of them together, NaN where those of one are not known."""
    return float(sum(math.nan if one["train_flops"] is None else one["train_flops"] for one in origins))


def origin_name(origin: OriginFact) -> str:
    """What people call it."""
    return ", ".join(origin["sources"])
