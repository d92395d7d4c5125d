"""From a document to a plan, or to everything that is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from greenexp.errors import FieldError, InputError, Problem, SweepFileError
from greenexp.plan.configurations import Resolved, resolve
from greenexp.plan.dev_parts import check_report_dev
from greenexp.plan.earlier import Earlier, fitted, observations
from greenexp.plan.equal_epochs import check_searched_epochs
from greenexp.plan.fields import check_plugin
from greenexp.plan.growth import Configuration, Growth, configuration_name, searched_values
from greenexp.plan.plans import Plan, trials_of
from greenexp.plan.plugins import Plugins, installed
from greenexp.plan.policies import PATH as POLICIES
from greenexp.plan.policies import check_policies
from greenexp.plan.searching import check_search, proposals
from greenexp.plan.value_checks import check_values
from greenexp.records.earlier import EarlierConfiguration
from greenexp.records.objectives import directions_of
from greenexp.records.places import FieldProblem
from greenexp.records.sections import HeadChoice
from greenexp.records.settings import SECTIONS
from greenexp.records.values import canonical_json, coordinate
from greenexp.schedulers import compares_objectives, scheduler_names, scheduler_of
from greenexp.searches.base import Proposal, SearchSettings
from greenexp.spec import Component, Document, SweepSpec
from greenexp.spec.paths import PLUGINS


def make_plan(document: Document, plugins: Plugins | None = None, earlier: Sequence[EarlierConfiguration] = ()) -> Plan:
    """The plan of a sweep file. `plugins`: the registries, the installed ones by default.

    earlier: the configurations of the sweeps that `search.from` names; those that do not fit are named in its notes
    Raises SweepFileError with all problems of the document and of its plug-ins' names and fields.
    """
    plugins = installed() if plugins is None else plugins
    search, found = check_search(document, plugins)
    filled, wrong = _check_plugins(document, search, plugins)
    known = {problem.path for problem in document.problems}
    found = [problem for problem in found if problem.path not in known] + wrong
    problems = [*document.problems, *(document.problem(f.path, f.message, of_key=f.of_key) for f in found)]
    if problems or search is None:
        raise SweepFileError(dict.fromkeys(problems))
    spec = _with_components(document.checked(), filled)
    plan = _plan(document, spec, search, plugins, fitted(earlier, spec.space, spec.objectives))
    try:
        plan.expected_scheduler()
        scheduler = plan.new_scheduler()
    except FieldError as error:
        raise SweepFileError([document.problem(f"scheduler.{error.path}", error.reason)]) from error
    except InputError as error:
        raise SweepFileError([document.problem("scheduler", str(error), of_key=True)]) from error
    parts = check_report_dev(spec, scheduler_of(spec.scheduler.to_json()))
    if problems := [document.problem(found.path, found.message) for found in parts]:
        raise SweepFileError(problems)
    if spec.budget.worth is not None and scheduler.selects_before_ends:
        why = (
            f"is not possible with this scheduler ({spec.scheduler.name}): while it runs, the configurations that have "
            "ended are a selection, or have means over different numbers of seeds, from which no gain follows"
        )
        raise SweepFileError([document.problem("budget.worth", why)])
    return plan


def _check_plugins(
    document: Document, search: SearchSettings | None, plugins: Plugins
) -> tuple[dict[str, dict[str, Any]], list[FieldProblem]]:
    """The plug-in sections of all valid sections: filled in where they can be, and what is wrong with them."""
    space: Mapping[str, Any] = document.sections.get("space", {})
    listed = {path for values in ({} if search is None else search.listed()).values() for path in values}
    filled: dict[str, dict[str, Any]] = {}
    found: list[FieldProblem] = []
    for path in (*PLUGINS, "scheduler"):
        component = _component(document.sections, path)
        if component is None:
            continue
        searched = {field: dist for field, dist in space.items() if field.startswith(f"{path}.")}
        if document.problems and not component.options and not searched and component.name in plugins[path]:
            continue  # it has no field to be wrong, and to load it may take seconds
        written = {"name": component.name, **component.options}
        checked = check_values(path, written, searched, plugins)
        if any(field.startswith(f"{path}.") for field in listed):
            # Each point is checked whole later; what it changes cannot be judged here.
            continue
        found += checked.problems
        if checked.settings is not None:
            own = {field: value for field, value in checked.settings.items() if f"{path}.{field}" not in searched}
            unsettled = f"{path}.name" in searched
            filled[path] = written if unsettled else {**own, **written}
    if search is not None:
        chosen = document.sections["search"]
        settings = check_plugin("search", chosen.own_json(), plugins["search"]).settings
        filled["search"] = {**(settings or {}), **chosen.to_json()}
    found += check_searched_epochs(document.sections, search, plugins["scheduler"])
    found += _unknown_size(document.sections, search, plugins["scheduler"])
    if "replay" in document.sections and ("replay" in document.data or not document.problems):
        found += check_policies(document.sections["replay"], plugins[POLICIES])
    return filled, found


def _unknown_size(
    sections: Mapping[str, Any], search: SearchSettings | None, schedulers: Mapping[str, type[Any]]
) -> Iterator[FieldProblem]:
    """A scheduler that must know the number of configurations, beside a search that does not say it."""
    scheduler = sections.get("scheduler")
    if search is None or scheduler is None or scheduler.name not in schedulers:
        return
    if search.planned or search.size(sections.get("space", {})) is not None:
        return
    with contextlib.suppress(ImportError, AttributeError):  # one that cannot be loaded is another problem
        if schedulers[scheduler.name].needs_size:
            why = f"must know how many configurations there will be, and search '{sections['search'].name}' does not"
            others = ", ".join(scheduler_names(lambda kind: not (kind.needs_size or compares_objectives(kind))))
            yield FieldProblem("scheduler.name", f"'{scheduler.name}' {why}; choose one of {others}")


def _component(sections: Mapping[str, Any], path: str) -> Component | None:
    section, _, inner = path.partition(".")
    value = sections.get(section)
    component = getattr(value, inner, None) if inner else value
    return component if isinstance(component, Component) else None


def _with_components(spec: SweepSpec, filled: Mapping[str, dict[str, Any]]) -> SweepSpec:
    """The spec with its plug-ins' defaults written out."""
    update: dict[str, Any] = {}
    for path, options in filled.items():
        if path == "exits.head":
            update["exits"] = spec.exits.model_copy(update={"head": HeadChoice.model_validate(options)})
        else:
            update[path] = type(getattr(spec, path)).model_validate(options)
    return spec.model_copy(update=update)


def _plan(document: Document, spec: SweepSpec, search: SearchSettings, plugins: Plugins, earlier: Earlier) -> Plan:
    base = {name: {} if (one := getattr(spec, name)) is None else one.model_dump(mode="json") for name in SECTIONS}
    directions = directions_of(spec.objectives, spec.metric.mode)
    proposed = list(proposals(search, spec.space, directions, observations(earlier.told)))
    listed = dict.fromkeys(path for proposal in proposed for path in proposal.values if path not in spec.space)
    configurations: list[Configuration] = []
    problems: list[Problem] = []
    for proposal in proposed:
        resolved = resolve(base, proposal.values, plugins)
        if resolved.settings is None:
            problems += _misfits(document, proposal, resolved)
            continue
        paths = [*(path for path in spec.space if path in proposal.values), *listed]
        name, searched = configuration_name(len(configurations)), searched_values(resolved.settings, paths)
        configurations.append(Configuration(name, searched, resolved.settings, proposal.place))
    repeated = _repeated(configurations)
    if not search.independent:
        problems += [document.problem(later.place, _same(later, earlier)) for earlier, later in repeated]
    if not proposed:
        problems += [document.problem("search", f"search '{spec.search.name}' proposes nothing", of_key=True)]
    if problems:
        raise SweepFileError(_distinct(problems))
    notes = (
        *(f"{_same(later, earlier)}: drawn twice, trained twice" for earlier, later in repeated),
        *_searches_stopped(spec, plugins["scheduler"]),
        *earlier.notes,
    )
    growth = None if search.planned else Growth(search, spec.space, directions, base, plugins, earlier.told)
    return Plan(spec, tuple(configurations), tuple(trials_of(spec, configurations)), notes, growth)


def _searches_stopped(spec: SweepSpec, schedulers: Mapping[str, type[Any]]) -> Iterator[str]:
    """That searches are to be compared, and a scheduler compares their configurations with each other."""
    if spec.search.per is not None and schedulers[spec.scheduler.name].stops:
        yield (
            f"scheduler {spec.scheduler.name} stops configurations of one value of {spec.search.per} for those of "
            "another, so the report cannot compare the searches: choose fifo for that"
        )


def _misfits(document: Document, point: Proposal, resolved: Resolved) -> Iterable[Problem]:
    """What is wrong with a proposal, each at the value in the file that is to blame, if one is."""
    shown = ", ".join(f"{path}={coordinate(value)}" for path, value in point.values.items())
    for finding in resolved.problems:
        blamed = _blamed(finding.path, point.values)
        place = point.places[blamed] if blamed else finding.path
        # A field that is missing because the search chose another plug-in stands nowhere: name it.
        what = f"{finding.path} {finding.message}" if blamed and finding.missing else finding.message
        yield document.problem(place, f"{what} (with {shown})" if shown else what, of_key=finding.of_key)


def _blamed(path: str, searched: Iterable[str]) -> str | None:
    """The searched field that makes `path` wrong: itself, the only one inside, or the name of its plug-in."""
    searched = tuple(searched)
    for field in searched:
        if path == field or path.startswith(f"{field}."):
            return field
    inside = [field for field in searched if field.startswith(f"{path}.")]
    if len(inside) == 1:
        return inside[0]
    name = f"{path.rpartition('.')[0]}.name"
    return name if name in searched else None


def _repeated(configurations: Iterable[Configuration]) -> list[tuple[Configuration, Configuration]]:
    """(earlier, later) pairs with equal settings."""
    first: dict[str, Configuration] = {}
    found = []
    for configuration in configurations:
        earlier = first.setdefault(canonical_json(configuration.settings.to_json()), configuration)
        if earlier is not configuration:
            found.append((earlier, configuration))
    return found


def _same(later: Configuration, earlier: Configuration) -> str:
    shown = ", ".join(f"{path}={value}" for path, value in later.searched.items())
    return f"configuration {later.name} is the same as {earlier.name} ({shown})"


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """One problem per place and path: a wrong value may fail in a hundred configurations."""
    first: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        first.setdefault((problem.source, problem.line, problem.column, problem.path), problem)
    return list(first.values())
