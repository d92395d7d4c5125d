"""From a document to a plan, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from greenexp.errors import InputError, Problem, SweepFileError
from greenexp.plan.configurations import Resolved, check_values, resolve
from greenexp.plan.equal_epochs import check_searched_epochs
from greenexp.plan.fields import FieldProblem
from greenexp.plan.plans import Configuration, Plan
from greenexp.plan.plugins import Plugins, installed
from greenexp.plan.policies import PATH as POLICIES
from greenexp.plan.policies import check_policies
from greenexp.plan.search import Point, points
from greenexp.plan.seeds import repetitions
from greenexp.records.search_space import PointsSearch
from greenexp.records.sections import HeadChoice
from greenexp.records.settings import SECTIONS
from greenexp.records.trial import TrialSpec
from greenexp.records.values import canonical_json, coordinate
from greenexp.spec import Component, Document, SweepSpec
from greenexp.spec.paths import PLUGINS, value_at


def make_plan(document: Document, plugins: Plugins | None = None) -> Plan:
    """The plan of a sweep file. `plugins`: the registries, the installed ones by default.

    Raises SweepFileError with all problems of the document and of its plug-ins' names and fields.
    """
    plugins = installed() if plugins is None else plugins
    filled, found = _check_plugins(document, plugins)
    problems = [*document.problems, *(document.problem(f.path, f.message, of_key=f.of_key) for f in found)]
    if problems:
        raise SweepFileError(dict.fromkeys(problems))
    spec = _with_components(document.checked(), filled)
    configurations, notes = _configurations(document, spec, plugins)
    plan = Plan(spec, configurations, _trials(spec, configurations), notes)
    try:
        plan.new_scheduler()
    except InputError as error:
        raise SweepFileError([document.problem("scheduler", str(error), of_key=True)]) from error
    return plan


def _check_plugins(document: Document, plugins: Plugins) -> tuple[dict[str, dict[str, Any]], list[FieldProblem]]:
    """The plug-in sections of all valid sections: filled in where they can be, and what is wrong with them."""
    space: Mapping[str, Any] = document.sections.get("space", {})
    search = document.sections.get("search")
    listed = {path for point in search.points for path in point} if isinstance(search, PointsSearch) else set()
    filled: dict[str, dict[str, Any]] = {}
    found: list[FieldProblem] = []
    for path in (*PLUGINS, "scheduler"):
        component = _component(document.sections, path)
        if component is None:
            continue
        searched = {field: dist for field, dist in space.items() if field.startswith(f"{path}.")}
        written = {"name": component.name, **component.options}
        checked = check_values(path, written, searched, plugins)
        if any(field.startswith(f"{path}.") for field in listed):
            # Each point is checked whole later; what it changes cannot be judged here.
            continue
        found += checked.findings
        if checked.settings is not None:
            own = {field: value for field, value in checked.settings.items() if f"{path}.{field}" not in searched}
            unsettled = f"{path}.name" in searched
            filled[path] = written if unsettled else {**own, **written}
    found += check_searched_epochs(document.sections, plugins["scheduler"])
    if "replay" in document.sections:
        found += check_policies(document.sections["replay"], plugins[POLICIES])
    return filled, found


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


def _configurations(
    document: Document, spec: SweepSpec, plugins: Plugins
) -> tuple[tuple[Configuration, ...], tuple[str, ...]]:
    base = {name: getattr(spec, name).model_dump(mode="json") for name in SECTIONS}
    all_points = list(points(spec.search, spec.space))
    fields = tuple(dict.fromkeys(path for point in all_points for path in point.values))
    configurations: list[Configuration] = []
    wrong: list[tuple[Point, Resolved]] = []
    for point in all_points:
        resolved = resolve(base, point.values, plugins)
        if resolved.settings is None:
            wrong.append((point, resolved))
            continue
        plain = resolved.settings.to_json()
        searched = {path: coordinate(value_at(plain, path)) for path in fields}
        name = f"c{len(configurations):03d}"
        configurations.append(Configuration(name, searched, resolved.settings, point.place))
    problems = [problem for point, resolved in wrong for problem in _misfits(document, point, resolved)]
    repeated = _repeated(configurations)
    if spec.search.name != "random":
        problems += [document.problem(later.place, _same(later, earlier)) for earlier, later in repeated]
    if problems:
        raise SweepFileError(_distinct(problems))
    notes = tuple(f"{_same(later, earlier)}: drawn twice, trained twice" for earlier, later in repeated)
    return tuple(configurations), notes


def _misfits(document: Document, point: Point, resolved: Resolved) -> Iterable[Problem]:
    """What is wrong with a point, each at the value in the file that is to blame, if one is."""
    shown = ", ".join(f"{path}={coordinate(value)}" for path, value in point.values.items())
    for finding in resolved.findings:
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


def _trials(spec: SweepSpec, configurations: Sequence[Configuration]) -> tuple[TrialSpec, ...]:
    """All seeds (and folds) of a configuration behind one another; in rounds, all configurations of one of them."""
    repeated = repetitions(spec.seeds)
    if spec.seeds.rounds:
        wanted = [(configuration, one) for one in repeated for configuration in configurations]
    else:
        wanted = [(configuration, one) for configuration in configurations for one in repeated]
    return tuple(
        TrialSpec(
            trial=f"{configuration.name}-{name}",
            configuration=configuration.name,
            index=index,
            settings=configuration.settings,
            searched=configuration.searched,
            seeds=seeds,
            fold=fold,
        )
        for index, (configuration, (name, seeds, fold)) in enumerate(wanted)
    )


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """One problem per place and path: a wrong value may fail in a hundred configurations."""
    first: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        first.setdefault((problem.source, problem.line, problem.column, problem.path), problem)
    return list(first.values())
