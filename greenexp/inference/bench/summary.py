"""From raw times to the numbers that are shown. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greenexp.inference.bench.protocol import Timings


@dataclass(frozen=True, slots=True)
class Speed:
    """One contestant, over all repeats and requests.

    p50_s, p90_s, p99_s: quantiles of seconds per request, linear between neighbours; mean_s: per request
    examples_per_s: examples answered / seconds spent answering
    """

    contestant: str
    p50_s: float
    p90_s: float
    p99_s: float
    mean_s: float
    examples_per_s: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one contestant takes as another for the same requests.

    median, low, high: over the repeats, of the ratio of total seconds in one repeat
    of_minima: ratio of the sums of each request's shortest time over the repeats, which other processes disturb least
    """

    median: float
    low: float
    high: float
    of_minima: float


def speeds(timings: Timings) -> tuple[Speed, ...]:
    """One row per contestant, in their order."""
    answered = int(timings.examples.sum()) * timings.seconds.shape[1]
    rows = []
    for name, seconds in zip(timings.contestants, timings.seconds, strict=True):
        p50, p90, p99 = np.quantile(seconds, (0.5, 0.9, 0.99))
        rows.append(
            Speed(name, float(p50), float(p90), float(p99), float(seconds.mean()), answered / float(seconds.sum()))
        )
    return tuple(rows)


def ratio(timings: Timings, slower: str, faster: str) -> Ratio:
    """Seconds of `slower` / seconds of `faster`."""
    top, bottom = (timings.seconds[timings.contestants.index(name)] for name in (slower, faster))
    by_repeat = top.sum(axis=1) / bottom.sum(axis=1)
    return Ratio(
        median=float(np.median(by_repeat)),
        low=float(by_repeat.min()),
        high=float(by_repeat.max()),
        of_minima=float(top.min(axis=0).sum() / bottom.min(axis=0).sum()),
    )
