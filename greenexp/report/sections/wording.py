"""Numbers and counts in sentences."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.table import plain_value


def counted(number: int, one: str, many: str = "") -> str:
    """`1 trial`, `2 trials`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """`42 of 144 (29 %)`."""
    return f"{part:,} of {whole:,} ({100 * part / whole:.0f} %)" if whole else f"{part:,} of {whole:,}"


def mean_and_std(mean: float, std: float, seeds: int) -> str:
    """`0.9120 ± 0.0040 (mean ± standard deviation over 2 seeds)`; one seed has no spread."""
    if math.isnan(std):
        return f"{mean:.4f} ({counted(seeds, 'seed')}, so no spread)"
    return f"{mean:.4f} ± {std:.4f} (mean ± standard deviation over {seeds} seeds)"


def settings_of(row: pd.Series, tables: SweepTables) -> str:
    """`training.learning_rate = 0.001, ...` of a row with `params.` columns; empty if nothing was searched."""
    return ", ".join(f"{path} = {plain_value(row[PARAMS + path])}" for path in tables.parameters)


def listed(names: list[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
