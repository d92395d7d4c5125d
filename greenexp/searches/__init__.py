"""Searches: which configuration comes next. Pure: told values in, proposals out; no torch, Ray, MLflow or clock.

To add one: a frozen dataclass in `<name>.py` that derives from `base.SearchSettings` (fields = settings, docstring =
card) whose `start` returns a `base.RunningSearch`, and a line in SEARCHES. One that learns says `planned = False`: it
is asked while the sweep runs, its proposals are journaled, and the plan grows by them. Third parties register theirs
under the entry point group `greenexp.searches`.
"""

from __future__ import annotations

import contextlib

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
    "is_even",
    "is_independent",
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


def _kind(name: str) -> type[SearchSettings] | None:
    with contextlib.suppress(ImportError, AttributeError):
        return SEARCHES.get(name)
    return None
