"""Which configuration a sweep chooses on dev. One rule, for the models that are kept, the test set and the report.

A configuration can be chosen if its seeds trained for the same length: all finished, or all stopped at one epoch. The
best mean of trial scores (best dev value so far) wins; of equal ones the first in plan order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

_ENDED = ("finished", "stopped")


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """How one trial ended: its configuration, status, epochs reached, and score (None if it never reported)."""

    configuration: str
    status: str
    epochs: int
    score: float | None


def configuration_means(outcomes: Iterable[SeedOutcome]) -> dict[str, float]:
    """Configuration -> mean score over its seeds, in plan order; only those whose seeds ended at the same length."""
    seeds: dict[str, list[SeedOutcome]] = {}
    for outcome in outcomes:
        seeds.setdefault(outcome.configuration, []).append(outcome)
    means = {}
    for configuration, group in seeds.items():
        scores = [outcome.score for outcome in group if outcome.score is not None]
        together = len({(outcome.status, outcome.epochs) for outcome in group}) == 1
        if group[0].status in _ENDED and together and len(scores) == len(group):
            means[configuration] = fmean(scores)
    return means


def chosen_configuration(outcomes: Iterable[SeedOutcome], mode: str) -> str | None:
    """The configuration with the best mean (`mode` max or min), or None while there is none."""
    sign = -1.0 if mode == "min" else 1.0
    means = configuration_means(outcomes)
    return max(means, key=lambda name: sign * means[name], default=None)
