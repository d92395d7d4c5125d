"""The axis of a figure over what trials cost."""

from __future__ import annotations

import pandas as pd

from greenexp.figures.comparison import Channel
from greenexp.figures.scale import axis_unit
from greenexp.records.axes import AXES


def over_cost(table: pd.DataFrame, cost: str, column: str = "budget") -> tuple[pd.DataFrame, Channel]:
    """The table to be drawn and the channel of `column`: a budget axis in a unit with short numbers, and its title.

    cost: a budget axis, or any other column, which is drawn as it is
    """
    axis = AXES.get(cost)
    if axis is None:
        return table, Channel(column, cost)
    divisor, unit = axis_unit(axis.unit, float(table[column].max()))
    title = f"{axis.sum_title} ({unit})" if unit else axis.sum_title
    return table.assign(**{column: table[column] / divisor}), Channel(column, title)
