"""Tables as files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd


def _to_parquet(frame: pd.DataFrame, path: Path) -> None:
    mixed = {column: "str" for column in frame.columns if frame[column].dtype == "object"}
    frame.astype(mixed).to_parquet(path, index=False)  # a searched field may hold numbers and words


def _to_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


EXPORTS: dict[str, Callable[[pd.DataFrame, Path], None]] = {"parquet": _to_parquet, "csv": _to_csv}
"""Format of exported tables -> what writes one."""
