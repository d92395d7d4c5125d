"""Numbers and counts in sentences."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.comparing.lead_of_sweep import Lead
from greenexp.records.sections import Seeds
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.table import plain_value
from greenexp.units import format_quantity

SHARED_SEEDS = "Crossed trials share seeds, so an error computed from them understates the spread of the mean."


def lead_assumed(lead: Lead) -> str:
    """What the lead of the best configuration presumes."""
    begin = ""
    if not math.isnan(lead.interval.error):
        begin = f"The lead of the best configuration has a t interval over {lead.over}, the same for both. "
    return (
        f"{begin}The best two were chosen by the same scores, so among many configurations that are alike the lead is "
        "too large on average."
    )


def counted(number: float, one: str, many: str = "") -> str:
    """`1 trial`, `2 trials`."""
    return f"{format_quantity(number, '')} {one if number == 1 else many or one + 's'}"


def share(part: float, whole: float) -> str:
    """`42 of 144 (29 %)`."""
    both = f"{format_quantity(part, '')} of {format_quantity(whole, '')}"
    return f"{both} ({100 * part / whole:.0f} %)" if whole else both


def mean_and_std(mean: float, std: float, trials: int, seeds: Seeds) -> str:
    """`0.9120 ± 0.0040 (mean ± standard deviation over 2 seeds)`; one trial has no spread.

    trials: over how many; seeds: the section of the sweep file
    """
    if math.isnan(std):
        one = counted(trials, "seed") if trials != 1 or not seeds.folds else "1 seed, a mean over its folds"
        return f"{mean:.4f} ({one}, so no spread)"
    return f"{mean:.4f} ± {std:.4f} (mean ± standard deviation over {over_seeds(trials, seeds)})"


def over_seeds(trials: int, seeds: Seeds) -> str:
    """`2 seeds`, `4 trials (2 x 2 crossed seeds)`, `3 trials (3 paired seeds)`: what a mean over `trials` is over."""
    initialisation, order, folds = seeds.initialisation, seeds.order, seeds.folds
    if folds:
        pairs = initialisation * order if is_crossed(seeds) else max(initialisation, order)
        if trials == pairs:
            return f"{over_seeds(trials, seeds.model_copy(update={'folds': None}))}, each a mean over {folds} folds"
        return f"{counted(trials, 'trial')} ({counted(pairs, 'seed')} x {folds} folds)"
    if min(initialisation, order) == 1:
        return counted(trials, "seed")
    if is_crossed(seeds):
        return f"{counted(trials, 'trial')} ({initialisation} x {order} crossed seeds)"
    return f"{counted(trials, 'trial')} ({min(initialisation, order)} paired seeds)"


def is_crossed(seeds: Seeds) -> bool:
    """Whether trials of a configuration share seeds: several of both kinds, every one with every one."""
    return min(seeds.initialisation, seeds.order) > 1 and seeds.design == "crossed"


def settings_of(row: pd.Series, tables: SweepTables) -> str:
    """`training.learning_rate = 0.001, ...` of a row with `params.` columns; empty if nothing was searched.

    Fields that the row's plug-in does not have are left out, where the plug-in itself was searched, and so are fields
    whose conditions do not hold.
    """
    values = {path: row[PARAMS + path] for path in tables.parameters}
    conditional = {path for path, distribution in tables.spec.space.items() if distribution.when}
    foreign = {
        path
        for path, value in values.items()
        if pd.isna(value) and (path in conditional or f"{path.rpartition('.')[0]}.name" in values)
    }
    return ", ".join(f"{path} = {plain_value(value)}" for path, value in values.items() if path not in foreign)


def listed(names: list[str], most: int = 5) -> str:
    """`a, b, c and 4 more`."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
