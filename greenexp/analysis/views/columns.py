"""What the columns of a view's tables are, so that whoever draws them has the titles and units of their axes."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.records.axes import AXES

COLUMNS = "columns"
"""The name of the table that says so, in the findings of every view."""
MORE, LESS, NEITHER = "more", "less", ""


class ViewColumn(NamedTuple):
    """A column of a view's tables.

    column: as in the tables; title: for an axis or a heading; unit: `s`, `J`, `FLOP`, `g` or ""
    better: more, less or "" where neither is; scale: linear, log or category, "" where nothing says so
    """

    column: str
    title: str
    unit: str = ""
    better: str = NEITHER
    scale: str = ""


def described(*columns: ViewColumn) -> pd.DataFrame:
    """The table `columns`: column, title, unit, better, scale."""
    return pd.DataFrame(list(columns), columns=list(ViewColumn._fields))


def of_score(metric: SweepMetric, column: str = "score") -> ViewColumn:
    """The score of a sweep."""
    return ViewColumn(column, _capital(metric.label), "", LESS if metric.minimize else MORE)


def of_axis(axis: str, column: str, *, summed: bool = False) -> ViewColumn:
    """An amount on a budget axis, of a trial or, `summed`, over trials."""
    row = AXES[axis]
    return ViewColumn(column, row.sum_title if summed else row.title, row.unit, LESS)


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
