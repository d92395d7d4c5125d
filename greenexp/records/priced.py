"""The price that was worked out when a sweep began, as its session recorded it: to be compared with what it used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

PRICE = "price"
"""The fact of a session that holds it."""
WORKER = "worker_s"
"""Worker seconds, beside the axes: `wall_s` of a sweep is elapsed time."""


class PriceFact(TypedDict):
    """One axis, in its unit: an 80 % interval, and what was measured before that it rests on, "" if nothing was."""

    low: float
    expected: float
    high: float
    source: str


def recorded_price(sessions: Iterable[Mapping[str, Any]]) -> dict[str, PriceFact]:
    """The price in the first session that has one; {} of a sweep without one, as those of earlier versions."""
    for session in sessions:
        if session.get(PRICE):
            return dict(session[PRICE])
    return {}
