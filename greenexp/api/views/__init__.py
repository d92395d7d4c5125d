"""Views: the ways of looking at a sweep that the dashboard, a notebook and other programs share.

`VIEWS` is the registry: name -> title, options, and the function that answers from a sweep's tables. An answer is a
study's `Findings` with figures, or a section of the report; both show themselves in a notebook. To add one: a function
in the file of its subject and a line in `VIEWS`. May not enter: HTTP, printing, a statistic.
"""

from __future__ import annotations

from dataclasses import replace

from greenexp.api.views import of_sweep
from greenexp.api.views.view import Answer, NamedView, ViewOption
from greenexp.errors import UnknownNameError
from greenexp.report.sections import (
    confusion,
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

_AXIS = ViewOption("axis", "Axis", of_sweep.axes, "trials")
_REPORTS = ViewOption("axis", "Axis", of_sweep.report_axes, "epochs")
_BUDGETS = ViewOption("budgets", "At budgets (such as 1 kWh)")
_VALUE = ViewOption("value", "Value", of_sweep.values, "score")
_ACTION = ViewOption("action", "Decision", of_sweep.actions, nothing="all")
_TRIAL = ViewOption("trial", "Trial", of_sweep.trials, nothing="all")
_TRIALS = replace(_TRIAL, name="trials", title="Trials", many=True)
_GROUPS = ViewOption("by", "Groups", of_sweep.groupings)
_ONE_TRIAL = replace(_TRIAL, nothing="the best one")
_FIELD = ViewOption("x", "Across", of_sweep.searched, nothing="the first")

_SWEEP = (
    NamedView(
        "overview", "Sweep", "Overview", "What runs, what it has used, and what is best.", of_sweep.overview_view
    ),
    NamedView(
        "curves",
        "Sweep",
        "Learning curves",
        "Score or loss of every trial after each report, to where it ended.",
        of_sweep.learning_curves_view,
        (_VALUE, _REPORTS, _GROUPS, _TRIALS),
    ),
    NamedView(
        "configurations",
        "Sweep",
        "Configurations over seeds",
        "Mean and standard deviation over seeds, with the score of every seed.",
        of_sweep.configurations_view,
    ),
    NamedView("timeline", "Sweep", "Timeline", "Which worker ran what when.", of_sweep.timeline_view),
    NamedView(
        "decisions",
        "Sweep",
        "Decisions",
        "Why a trial was stopped, paused or continued.",
        of_sweep.decisions_view,
        (_ACTION, _TRIAL),
    ),
    NamedView(
        "trial",
        "Sweep",
        "One trial",
        "Settings, scores, costs and log of a trial, and why it ended.",
        of_sweep.one_trial_view,
        (_ONE_TRIAL,),
    ),
    NamedView(
        "compare",
        "Sweep",
        "Compare sweeps",
        "Sweeps side by side, as far as they can be compared.",
        of_sweep.compare_view,
        (_REPORTS,),
        several=True,
    ),
)
_SEARCH = (
    NamedView("search", "Search", "Best so far", "How good the search got for what it cost.", search.section),
    NamedView(
        "tuning-curve",
        "Search",
        "Tuning curve",
        "The expected best score over numbers of configurations, or over their cost.",
        of_sweep.tuning_curve_view,
        (_AXIS, ViewOption("by", "Groups", of_sweep.grouping_fields)),
    ),
    NamedView(
        "groups",
        "Search",
        "Compare methods",
        "The values of a searched field, such as the method, against each other at equal budgets.",
        of_sweep.groups_view,
        (_AXIS, ViewOption("by", "Groups", of_sweep.grouping_fields, nothing="the first such field"), _BUDGETS),
    ),
    NamedView(
        "parallel",
        "Search",
        "Parallel coordinates",
        "Every configuration over the searched fields, and its score.",
        of_sweep.parallel_view,
        rows=5000,
    ),
    NamedView(
        "slices",
        "Search",
        "Slices",
        "Score against each searched field.",
        of_sweep.slices_view,
        (ViewOption("fields", "Fields", of_sweep.searched, many=True, nothing="all"),),
    ),
    NamedView(
        "contour",
        "Search",
        "Contour",
        "Score over two searched fields.",
        of_sweep.contour_view,
        (_FIELD, replace(_FIELD, name="y", title="Up", nothing="the second")),
    ),
    NamedView("importance", "Search", "Importance", "In which searched fields the best differ.", search_space.section),
    NamedView(
        "rungs", "Search", "Early stopping", "What each rung stopped, and what it saved.", early_stopping.section
    ),
    NamedView("seeds", "Search", "Seeds and noise", "How much of the scores is due to seeds.", seeds.section),
)
_EXITS = (
    NamedView("front", "Exits", "Pareto front", "Score against inference FLOPs.", front.section, replayed=True),
    NamedView(
        "thresholds",
        "Exits",
        "Thresholds",
        "What a threshold of an exit policy is worth: score, speed-up, cost, and where examples leave.",
        of_sweep.thresholds_view,
        (_ONE_TRIAL,),
        replayed=True,
        rows=5000,
    ),
    NamedView(
        "policies", "Exits", "Exit policies", "Score over speed-up, per policy.", policies.section, replayed=True
    ),
    NamedView("exits", "Exits", "Exits", "The score of every exit.", exits.section, replayed=True),
    NamedView("exit-profiles", "Exits", "Exit profiles", "Where examples leave.", exit_profile.section, replayed=True),
    NamedView(
        "overthinking",
        "Exits",
        "Overthinking",
        "Which examples are right at an exit and wrong at the last one.",
        overthinking.section,
        replayed=True,
    ),
    NamedView(
        "confusion",
        "Exits",
        "Confusion",
        "Whether disagreement among the exits tells where the last one is wrong.",
        confusion.section,
        replayed=True,
    ),
)
_COSTS = (
    NamedView("costs", "Costs", "Costs", "Every budget axis: used, limit, lost, price.", costs.section),
    NamedView("energy", "Costs", "Energy", "What the energy meters counted, and whose it was.", energy.section),
    NamedView("price", "Costs", "Price tag", "What the search, its choice and one more point cost.", price_tag.section),
)
VIEWS: dict[str, NamedView] = {view.name: view for view in (*_SWEEP, *_SEARCH, *_EXITS, *_COSTS)}
"""Name -> view, in the order of a menu."""


def view_of(name: str) -> NamedView:
    """The view of that name. UnknownNameError if there is none."""
    if name not in VIEWS:
        raise UnknownNameError("view", name, list(VIEWS))
    return VIEWS[name]


__all__ = ["VIEWS", "Answer", "NamedView", "ViewOption", "view_of"]
