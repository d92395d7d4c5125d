"""Searching over the number of epochs, which a scheduler that compares trials at equal epochs does not allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.plan.fields import FieldProblem
from greenexp.records.search_space import PointsSearch

EPOCHS = "training.epochs"


def check_searched_epochs(sections: Mapping[str, Any], schedulers: Mapping[str, type[Any]]) -> Iterator[FieldProblem]:
    """A finding at every place where epochs are searched, if the scheduler of the file does not allow it.

    sections: those of a document that are valid by themselves; schedulers: the registry. An unknown scheduler is
    another finding's business, and so is one that cannot be loaded.
    """
    scheduler = sections.get("scheduler")
    if scheduler is None or not _compares_at_equal_epochs(scheduler.name, schedulers):
        return
    paths = [f"space.{path}" for path in sections.get("space", {}) if path == EPOCHS]
    search = sections.get("search")
    if isinstance(search, PointsSearch):
        paths += [f"search.points.{i}.{EPOCHS}" for i, point in enumerate(search.points) if EPOCHS in point]
    why = f"cannot be searched under scheduler '{scheduler.name}', whose rungs compare trials at equal epochs"
    for path in paths:
        yield FieldProblem(path, why)


def _compares_at_equal_epochs(name: str, schedulers: Mapping[str, type[Any]]) -> bool:
    try:
        return name in schedulers and bool(schedulers[name].equal_epochs)
    except (ImportError, AttributeError):
        return False
