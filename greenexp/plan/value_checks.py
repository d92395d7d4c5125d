"""Every value that a space could set in a plug-in section, tried before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.plan.fields import Checked, check_plugin
from greenexp.plan.plugins import Plugins
from greenexp.records.conditional_space import Space, completed, required, with_field
from greenexp.records.places import FieldProblem
from greenexp.records.search_space import Choice
from greenexp.records.values import Value
from greenexp.spec.paths import with_values


def check_values(path: str, section: Mapping[str, Any], space: Space, plugins: Plugins) -> Checked:
    """A plug-in section, and every value the space could set in it: each of a choice, the ends of a range.

    `space`: the searched fields inside `path`. A value is tried in a configuration that has its field, in which the
    first value of each other field stands for what the file leaves to the search.
    """
    space = _inside_section(space)
    alone = len(space) == 1  # then what is wrong with the section as a whole is this field's value
    first = completed(space, {})
    start = check_plugin(path, _with_values(section, path, first), plugins[path])
    places = {field: f"space.{field}.{next(iter(space[field].ends()))}" for field in first}
    found = [_moved(finding, path, places) for finding in start.problems]
    for field, distribution in space.items():
        for end, value in distribution.ends().items():
            values = with_field(space, field, value)
            if values is None or values == first:
                continue
            wrong = check_plugin(path, _with_values(section, path, values), plugins[path]).problems
            places = {field: f"space.{field}.{end}"}
            found += [_moved(f, path, places) for f in wrong if _inside(f.path, field) or (alone and f.path == path)]
    lacking = list(_lacking_fields(path, section, space, plugins))
    known = {finding.path for finding in lacking}
    found = [*(finding for finding in found if not (finding.of_key and finding.path in known)), *lacking]
    return Checked(start.settings if not found else None, tuple(dict.fromkeys(found)))


def _inside_section(space: Space) -> Space:
    """Fields of one section without the conditions on others: whatever these are, what is in the section must fit."""
    conditions = {
        field: {other: allowed for other, allowed in distribution.when.items() if other in space}
        for field, distribution in space.items()
    }
    return {field: distribution.model_copy(update={"when": conditions[field]}) for field, distribution in space.items()}


def _with_values(section: Mapping[str, Any], path: str, values: Mapping[str, Value]) -> dict[str, Any]:
    """The section with the values of searched fields inside it."""
    return with_values(section, {field.removeprefix(f"{path}."): value for field, value in values.items()})


def _lacking_fields(path: str, section: Mapping[str, Any], space: Space, plugins: Plugins) -> Iterator[FieldProblem]:
    """Searched fields that a plug-in which the search may choose does not have, though it may get them."""
    chooser = f"{path}.name"
    choice = space.get(chooser)
    names = choice.values if isinstance(choice, Choice) else ()
    fields = {str(name): _fields_of({**section, "name": name}, plugins[path]) for name in names}
    for field in space:
        own = field.removeprefix(f"{path}.").partition(".")[0]
        allowed = required(space, field).get(chooser, names)
        lacking = [str(name) for name in allowed if own not in (fields.get(str(name)) or {own})]
        having = [name for name, known in fields.items() if known is not None and own in known]
        if field == chooser or not lacking or not having:
            continue
        owners = ", ".join(having)
        message = (
            f"{', '.join(lacking)}: unknown field '{own}', of {owners} only: write when: {{{chooser}: [{owners}]}}"
        )
        yield FieldProblem(f"space.{field}", message, of_key=True)


def _fields_of(section: Mapping[str, Any], registry: Mapping[str, type[Any]]) -> set[str] | None:
    """The names of a plug-in's fields, `name` included; None where it cannot be loaded."""
    name = section["name"]
    try:
        plugin = registry[name] if isinstance(name, str) and name in registry else None
    except (ImportError, AttributeError):
        return None
    return None if plugin is None else {"name", *(field.name for field in dataclasses.fields(plugin) if field.init)}


def _inside(path: str, field: str) -> bool:
    return path == field or path.startswith(f"{field}.")


def _moved(finding: FieldProblem, section: str, places: Mapping[str, str]) -> FieldProblem:
    """The finding where the user wrote the value; an unknown searched field is wrong in its key.

    What is wrong with the section as a whole lies at the one field that is searched, if it is one.
    """
    for field, place in places.items():
        if _inside(finding.path, field) or (finding.path == section and len(places) == 1):
            at = f"space.{field}" if finding.of_key else place
            return FieldProblem(at, finding.message, finding.of_key, finding.missing)
    return finding
