"""Which configuration a sweep chooses on dev. One rule, for the models that are kept, the test set and the report.

A configuration can be chosen if its seeds trained for the same length: all finished, or all stopped at one epoch. A
seed that finished before that epoch, by its own patience, has reached it for this purpose: its score stands. The best
mean of trial scores (best dev value so far) wins; of equal ones the first in plan order.
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
        if ended_together((outcome.status, outcome.epochs) for outcome in group) and len(scores) == len(group):
            means[configuration] = fmean(scores)
    return means


def ended_together(seeds: Iterable[tuple[str, int]]) -> bool:
    """Whether seeds of one configuration, (status, epochs reached) each, have scores of the same length of training.

    All finished, however long that took them (see `training.patience`); or stopped at one epoch, and those that
    finished did so no later.
    """
    ends = list(seeds)
    stopped = {epochs for status, epochs in ends if status == "stopped"}
    longest = max((epochs for status, epochs in ends if status == "finished"), default=0)
    return (
        all(status in _ENDED for status, _ in ends)
        and len(stopped) <= 1
        and all(longest <= epochs for epochs in stopped)
    )


def chosen_configuration(outcomes: Iterable[SeedOutcome], mode: str) -> str | None:
    """The configuration with the best mean (`mode` max or min), or None while there is none."""
    sign = -1.0 if mode == "min" else 1.0
    means = configuration_means(outcomes)
    return max(means, key=lambda name: sign * means[name], default=None)
