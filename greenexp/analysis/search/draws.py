"""Which configurations of a sweep are independent draws, and what to say where some are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.records.tables import PARAMS, SweepTables
from greenexp.searches import draws, is_independent, is_learning


def drawn_configurations(tables: SweepTables) -> dict[str, bool]:
    """Configuration -> whether it is an independent draw from its space, in the order in which they were proposed.

    All of a random search; of one that learns those that it begins with, before it has learnt, if it was told of no
    earlier sweep; none of a grid or of listed points. With `search.per`, of each value's own search.
    """
    search = tables.spec.search
    first = tables.trials.sort_values("index", kind="stable").drop_duplicates("configuration")
    names = [str(name) for name in first["configuration"]]
    if search.earlier:
        return dict.fromkeys(names, is_independent(search.name))
    drawn = _place_in_own_search(first, search.per) < draws(search.own_json())
    return dict(zip(names, map(bool, drawn), strict=True))


def _place_in_own_search(first: pd.DataFrame, per: str | None) -> NDArray[np.int64]:
    groups = np.zeros(len(first)) if per is None else first[PARAMS + per].map(str)
    return np.asarray(first.groupby(groups, sort=False).cumcount(), dtype=np.int64)


def not_drawn(tables: SweepTables) -> str:
    """A clause on the configurations that are no draws; "" where all are."""
    drawn = drawn_configurations(tables)
    others, name = len(drawn) - sum(drawn.values()), tables.spec.search.name
    if not others:
        return ""
    how = "proposed from earlier scores" if is_learning(name) else f"chosen by search '{name}'"
    return f"{others} of {len(drawn)} configurations were {how}, and are no independent draws"
