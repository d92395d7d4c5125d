"""Tables in memory: a pandas data frame, with the same checks and messages as a file."""

from __future__ import annotations

import pandas as pd

from greenexp.sources.columns import ROW, Cells

NAME = "the data frame"


def read_frame(frame: pd.DataFrame, name: str = NAME) -> Cells:
    """The columns of a data frame; a row's place is its position, from 0, whatever its index holds."""
    rows = [list(row) for row in frame.itertuples(index=False, name=None)]
    return Cells(name, [str(column) for column in frame.columns], rows, ROW, range(len(rows)))
