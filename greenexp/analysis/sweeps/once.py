"""What is worked out once for a sweep, whoever asks: tables do not change once they are there."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

from greenexp.records.tables import SweepTables

Result = TypeVar("Result")


def once_per_sweep(study: Callable[[SweepTables], Result]) -> Callable[[SweepTables], Result]:
    """The study, which keeps its result for as long as somebody holds the tables. For results that nobody changes."""
    kept: dict[int, tuple[weakref.ref[SweepTables], Result]] = {}

    @functools.wraps(study)
    def known(tables: SweepTables) -> Result:
        key = id(tables)
        found = kept.get(key)
        if found is not None and found[0]() is tables:
            return found[1]
        result = study(tables)
        kept[key] = weakref.ref(tables, lambda _: kept.pop(key, None)), result
        return result

    return known
