"""Views: the ways of looking at a sweep that the dashboard, a notebook and other programs share.

`VIEWS` is the registry: name -> title, options, and the function that answers from a sweep's tables. An answer is a
study's `Findings` with figures, or a section of the report; both show themselves in a notebook. To add one: a function
in the file of its subject and a line in `VIEWS`. May not enter: HTTP, printing, a statistic.
"""

from __future__ import annotations

from greenexp.api.views.of_sweep import axes, overview_view, searched, tuning_curve_view
from greenexp.api.views.view import Answer, View, ViewOption
from greenexp.errors import UnknownNameError
from greenexp.report.sections import (
    costs,
    early_stopping,
    energy,
    exit_profile,
    exits,
    front,
    overthinking,
    policies,
    price_tag,
    search,
    search_space,
    seeds,
)

_AXIS = ViewOption("axis", "Axis", axes, "trials")
_BY = ViewOption("by", "Groups", searched)

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("overview", "Sweep", "Overview", "What runs, what it has used, and what is best.", overview_view),
        View("search", "Search", "Best so far", "How good the search got for what it cost.", search.section),
        View(
            "tuning-curve",
            "Search",
            "Tuning curve",
            "The expected best score over numbers of configurations, or over their cost.",
            tuning_curve_view,
            (_AXIS, _BY),
        ),
        View("importance", "Search", "Importance", "Which searched fields the best differ in.", search_space.section),
        View("rungs", "Search", "Early stopping", "What each rung stopped, and what it saved.", early_stopping.section),
        View("seeds", "Seeds", "Seeds and noise", "How much of the scores is due to seeds.", seeds.section),
        View("front", "Exits", "Front", "Score against inference FLOPs.", front.section, replayed=True),
        View("policies", "Exits", "Exit policies", "Score over speed-up, per policy.", policies.section, replayed=True),
        View("exits", "Exits", "Exits", "Score of every exit.", exits.section, replayed=True),
        View("exit-profiles", "Exits", "Exit profiles", "Where examples leave.", exit_profile.section, replayed=True),
        View(
            "overthinking",
            "Exits",
            "Overthinking",
            "Right at an exit, wrong at the last.",
            overthinking.section,
            replayed=True,
        ),
        View("costs", "Costs", "Costs", "Every budget axis: used, limit, lost, price.", costs.section),
        View("energy", "Costs", "Energy", "What the energy meters counted, and whose it was.", energy.section),
        View("price", "Costs", "Price tag", "What the search, and one more point, cost.", price_tag.section),
    )
}
"""Name -> view, in the order of a menu."""


def view_of(name: str) -> View:
    """The view of that name. UnknownNameError if there is none."""
    if name not in VIEWS:
        raise UnknownNameError("view", name, list(VIEWS))
    return VIEWS[name]


__all__ = ["VIEWS", "Answer", "View", "ViewOption", "view_of"]
