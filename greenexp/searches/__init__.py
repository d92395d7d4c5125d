"""Searches: which configuration comes next. Pure: told values in, proposals out; no torch, Ray, MLflow or clock.

To add one: a frozen dataclass in `<name>.py` that derives from `base.SearchSettings` (fields = settings, docstring =
card) whose `start` returns a `base.RunningSearch`, and a line in SEARCHES. One that learns says `planned = False`: it
is asked while the sweep runs, its proposals are journaled, and the plan grows by them. Third parties register theirs
under the entry point group `greenexp.searches`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from greenexp.errors import UnknownNameError
from greenexp.registry import Registry
from greenexp.searches.base import NoProposal, Observation, Proposal, ProposalState, RunningSearch, SearchSettings

__all__ = [
    "SEARCHES",
    "NoProposal",
    "Observation",
    "Proposal",
    "ProposalState",
    "RunningSearch",
    "SearchSettings",
    "draws",
    "is_even",
    "is_independent",
    "is_learning",
]

SEARCHES: Registry[type[SearchSettings]] = Registry(
    "search",
    {
        "gp": "greenexp.searches.gp:GaussianProcess",
        "grid": "greenexp.searches.grid:Grid",
        "nsga2": "greenexp.searches.nsga2:Nsga2",
        "points": "greenexp.searches.points:Points",
        "random": "greenexp.searches.random:Random",
        "tpe": "greenexp.searches.tpe:Tpe",
    },
    group="greenexp.searches",
)


def is_independent(name: str) -> bool:
    """Whether the search of this name draws its configurations independently; not if it is not installed here."""
    found = _kind(name)
    return found is not None and found.independent


def is_even(name: str) -> bool:
    """Whether the search of this name covers its space evenly; not if it is not installed here."""
    found = _kind(name)
    return found is not None and found.even


def is_learning(name: str) -> bool:
    """Whether the search of this name proposes by what it was told; not if it is not installed here."""
    found = _kind(name)
    return found is not None and not found.planned


def draws(section: Mapping[str, Any]) -> float:
    """How many of the first proposals of the search `section` are independent draws, infinity for all; see `drawn`.

    section: `name` and settings, as recorded; 0 if the search is not installed here, or has other settings now.
    """
    found = _kind(str(section.get("name")))
    if found is None:
        return 0
    fields = {field.name for field in dataclasses.fields(found)}
    try:
        return found(**{key: value for key, value in section.items() if key in fields}).drawn
    except TypeError:
        return 0


def _kind(name: str) -> type[SearchSettings] | None:
    with contextlib.suppress(ImportError, AttributeError, UnknownNameError):
        return SEARCHES[name]
    return None
