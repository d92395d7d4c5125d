"""Which configuration a sweep chooses on dev, and which trial is the best. One rule, for all who say one or the other.

A configuration can be chosen if its seeds trained for the same length: all finished, or all stopped at one epoch. A
seed that finished before that epoch, by its own patience, has reached it for this purpose: its score stands. The best
mean of trial scores (best dev value so far) wins. Seeds that a scheduler gave up before they began have no part in
this, but a mean over fewer seeds is more often good by luck: the configurations with the most seeds come first. Of
equal means the last in plan order wins: a search that learns proposes later configurations from more scores, and of
other searches none is preferable (measured in docs/results/search.md).

The best trial is the one with the best score, of equal ones the first in plan order. A trial that failed is never it:
it was not trained as planned, and its last good epoch is no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol, TypeVar

import pandas as pd

from greenexp.records.progress import Epochs

_ENDED = ("finished", "stopped")


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """How one trial ended: its configuration, status, epochs reached, and score (None if it never reported)."""

    configuration: str
    status: str
    epochs: Epochs
    score: float | None
    trial: str = ""

    @property
    def given_up(self) -> bool:
        """Whether it was stopped before it began: its configuration did not come to the rung that counts it."""
        return self.status == "stopped" and not self.epochs


class Scored(Protocol):
    """A trial of any kind: its status, and its score or None."""

    @property
    def status(self) -> str:
        """One of `records.tables.STATUSES`."""

    @property
    def score(self) -> float | None:
        """Best dev value so far."""


T = TypeVar("T", bound=Scored)


def outcomes_of(trials: pd.DataFrame) -> list[SeedOutcome]:
    """The rows of the table `trials` of `SweepTables`, in its order, which is that of the plan."""
    columns = (trials[name].tolist() for name in ("configuration", "status", "epochs", "score", "trial"))
    return [
        SeedOutcome(configuration, status, epochs, None if math.isnan(score) else score, trial)
        for configuration, status, epochs, score, trial in zip(*columns, strict=True)
    ]


def best_first(trials: Iterable[T], mode: str) -> list[T]:
    """The trials that have a score and did not fail, the best first; given in plan order. mode: max or min."""
    scored = [(trial.score, trial) for trial in trials if trial.status != "failed" and trial.score is not None]
    scored.sort(key=lambda pair: pair[0] if mode == "min" else -pair[0])  # stable: of equal ones the first stays first
    return [trial for _, trial in scored]


def best_trial(trials: Iterable[T], mode: str) -> T | None:
    """The first of `best_first`, or None while there is none."""
    ranked = best_first(trials, mode)
    return ranked[0] if ranked else None


def configuration_means(outcomes: Iterable[SeedOutcome]) -> dict[str, float]:
    """Configuration -> mean score over its seeds, in plan order; only those whose seeds ended at the same length."""
    return {configuration: fmean(scores) for configuration, scores in _configuration_scores(outcomes).items()}


def _configuration_scores(outcomes: Iterable[SeedOutcome]) -> dict[str, list[float]]:
    """Configuration -> scores of its seeds that began, of those that have a mean."""
    seeds: dict[str, list[SeedOutcome]] = {}
    for outcome in outcomes:
        seeds.setdefault(outcome.configuration, []).append(outcome)
    found = {}
    for configuration, group in seeds.items():
        began = [outcome for outcome in group if not outcome.given_up]
        scores = [outcome.score for outcome in began if outcome.score is not None]
        whole = ended_together((outcome.status, outcome.epochs) for outcome in began)
        if whole and len(scores) == len(began) > 0:
            found[configuration] = scores
    return found


def ended_together(seeds: Iterable[tuple[str, Epochs]]) -> bool:
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
    """Of the configurations with the most seeds, the one with the best mean (`mode` max or min); None without any.

    Of equal ones the last.
    """
    sign = -1.0 if mode == "min" else 1.0
    scores = _configuration_scores(outcomes)
    last_first = reversed(scores)  # `max` keeps the first of equal ones
    return max(last_first, key=lambda name: (len(scores[name]), sign * fmean(scores[name])), default=None)
