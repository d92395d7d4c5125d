"""Searching over the number of epochs, which a scheduler that compares trials at equal epochs does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.plan.growth import EPOCHS
from greenexp.records.axes import EPOCHS as EPOCHS_AXIS
from greenexp.records.places import FieldProblem
from greenexp.searches.base import SearchSettings


def check_searched_epochs(
    sections: Mapping[str, Any], search: SearchSettings | None, schedulers: Mapping[str, type[Any]]
) -> Iterator[FieldProblem]:
    """A problem at every place where epochs are searched, if the scheduler of the file does not allow it.

    sections: those of a document that are valid by themselves; search: None if its section is not
    schedulers: the registry; an unknown scheduler is another problem's business, and so is one that cannot be loaded
    """
    scheduler = sections.get("scheduler")
    if scheduler is None or scheduler.options.get("resource", EPOCHS_AXIS) != EPOCHS_AXIS:
        return  # rungs at equal cost compare trials of any length
    if not _compares_at_equal_epochs(scheduler.name, schedulers):
        return
    paths = [f"space.{path}" for path in sections.get("space", {}) if path == EPOCHS]
    listed = {} if search is None else search.listed()
    paths += [f"{place}.{EPOCHS}" for place, values in listed.items() if EPOCHS in values]
    why = f"cannot be searched under scheduler '{scheduler.name}', whose rungs compare trials at equal epochs"
    for path in paths:
        yield FieldProblem(path, why)


def _compares_at_equal_epochs(name: str, schedulers: Mapping[str, type[Any]]) -> bool:
    try:
        return name in schedulers and bool(schedulers[name].equal_epochs)
    except (ImportError, AttributeError):
        return False
