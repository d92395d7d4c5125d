"""The search of a sweep file: whether it fits the space, and what it proposes before anything is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from greenexp.errors import StateError
from greenexp.plan.fields import check_plugin
from greenexp.plan.plugins import Plugins
from greenexp.records.axes import AXES
from greenexp.records.places import FieldProblem
from greenexp.records.sections import SearchChoice
from greenexp.searches.base import Mode, Observation, Proposal, SearchSettings, Space
from greenexp.searches.per_value import search_per_value
from greenexp.spec import Document
from greenexp.spec.checks import value_problems
from greenexp.spec.paths import wrong_path

MAX_TRIALS = 100_000
"""A plan is held in memory, and a journal line is written per trial."""


def check_search(document: Document, plugins: Plugins) -> tuple[SearchSettings | None, list[FieldProblem]]:
    """The search of `document`, None if its section is wrong, and everything that is wrong with it and its space."""
    sections = document.sections
    section = sections.get("search")
    if section is None:
        return None, []
    checked = check_plugin("search", section.own_json(), plugins["search"])
    if checked.plugin is None:
        return None, list(checked.problems)
    search: SearchSettings = checked.plugin
    found = list(_to_learn_from(search, sections))
    if section.per is not None:
        search = search_per_value(search, section.per, section.limits())
    found += _own_budget(section)
    found += _listed_values(search, sections)
    written = document.data.get("space")
    if isinstance(written, Mapping | None) and len(sections.get("space", {})) == len(written or {}):  # all valid
        found += _fits(document, search, sections)
    return search, found


def proposals(
    search: SearchSettings, space: Space, directions: Mapping[str, Mode], earlier: Sequence[Observation] = ()
) -> Iterator[Proposal]:
    """All that a planned search proposes; of another one, what it proposes first.

    directions: objective -> which of its values are better; earlier: what the search is told of other sweeps
    """
    running = search.begin(space, directions, earlier)
    history: list[Observation] = []
    while isinstance(proposal := running.ask(history), Proposal):
        yield proposal
        if not search.planned:
            return
        history.append(Observation(len(history), proposal.values))
        if len(history) > MAX_TRIALS:
            raise StateError(f"a search that says it is planned proposed more than {MAX_TRIALS:,} configurations")


def _to_learn_from(search: SearchSettings, sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Several objectives or earlier sweeps, and a search that cannot learn from these."""
    if sections["search"].earlier and (search.planned or not search.several):
        yield FieldProblem("search.from", f"search '{sections['search'].name}' does not learn from earlier sweeps")
    if len(sections.get("objectives", ())) > 1 and not search.planned and not search.several:
        yield FieldProblem("objectives", f"search '{sections['search'].name}' learns from one objective")


def _own_budget(section: SearchChoice) -> Iterator[FieldProblem]:
    """Limits on the search of each value, which need such searches and something that is limited."""
    if section.budget is not None and section.per is None:
        message = "limits the search of each value of a field: that needs 'per'. Limits on the sweep stand in 'budget'"
        yield FieldProblem("search.budget", message, of_key=True)
    elif section.budget is not None and not section.limits():
        yield FieldProblem("search.budget", f"limits nothing; it takes {', '.join(AXES)}")


def _worth(search: SearchSettings, sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """`budget.worth` beside a search of which nothing can be expected."""
    budget, chosen = sections.get("budget"), sections["search"]
    if budget is None or budget.worth is None:
        return
    if not search.independent and search.planned:
        why = f"search '{chosen.name}' lists its configurations, and nothing is expected of the next one"
        yield FieldProblem("budget.worth", f"{why}; it works with 'random' and with searches that learn")
    elif chosen.per is not None:
        yield FieldProblem("budget.worth", f"is not possible with search.per: each {chosen.per} has the same samples")
    elif len(sections.get("objectives", ())) > 1:
        yield FieldProblem("budget.worth", "is about the score alone, and there are several objectives")


def _listed_values(search: SearchSettings, sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """What is wrong with the configurations that the search itself lists."""
    for place, values in search.listed().items():
        for path, value in values.items():
            at = f"{place}.{path}"
            if (wrong := wrong_path(path)) is not None:
                yield FieldProblem(at, wrong, of_key=True)
            else:
                yield from value_problems(path, {at: value}, sections)


def _fits(document: Document, search: SearchSettings, sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    space = sections.get("space", {})
    if space and "search" not in document.data:
        example = "search: {name: random, samples: 8}"
        yield FieldProblem("space", f"says what to search: a 'search' must say how, e.g. {example}")
        return
    yield from search.problems(space)
    yield from search.condition_problems(space)
    yield from _fits_exits(search, space, sections)
    yield from _worth(search, sections)
    if "seeds" not in sections:
        return
    seeds = sections["seeds"]
    per_configuration = seeds.initialisation * (seeds.order if seeds.design == "crossed" else 1) * (seeds.folds or 1)
    total = (search.size(space) or 0) * per_configuration
    if total > MAX_TRIALS:
        yield FieldProblem("search", f"makes {total:,} trials; at most {MAX_TRIALS:,} are possible")
    if seeds.rounds and not search.planned:
        name = sections["search"].name
        yield FieldProblem("seeds.rounds", f"is not possible with search '{name}', which proposes while the sweep runs")


def _fits_exits(search: SearchSettings, space: Space, sections: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """The metric's exit among those of the file, where they are not searched; else each configuration is checked."""
    exits, metric = sections.get("exits"), sections.get("metric")
    if exits is None or metric is None or not isinstance(exits.layers, tuple) or not isinstance(metric.exit, int):
        return
    if any("exits.layers" in values for values in (space, *search.listed().values())):
        return
    if metric.exit > len(exits.layers):
        have = f"there are {len(exits.layers)} exits (exits.layers: {list(exits.layers)})"
        yield FieldProblem("metric.exit", f"{have}, got {metric.exit}")
