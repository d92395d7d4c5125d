"""Searches: which configuration comes next. Pure: told values in, proposals out; no torch, Ray, MLflow or clock.

To add one: a frozen dataclass in `<name>.py` that derives from `base.SearchSettings` (fields = settings, docstring =
card) whose `start` returns a `base.Search`, and a line in SEARCHES. One that learns says `planned = False`: it is asked
while the sweep runs, its proposals are journaled, and the plan grows by them. Third parties register theirs under the
entry point group `greenexp.searches`.
"""

from __future__ import annotations

from greenexp.registry import Registry
from greenexp.searches.base import NoProposal, Observation, Progress, Proposal, Search, SearchProblem, SearchSettings

__all__ = [
    "SEARCHES",
    "NoProposal",
    "Observation",
    "Progress",
    "Proposal",
    "Search",
    "SearchProblem",
    "SearchSettings",
]

SEARCHES: Registry[type[SearchSettings]] = Registry(
    "search",
    {
        "grid": "greenexp.searches.grid:Grid",
        "points": "greenexp.searches.points:Points",
        "random": "greenexp.searches.random:Random",
    },
    group="greenexp.searches",
)
