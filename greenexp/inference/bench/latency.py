"""Measures the table of latencies by exit and length that replay prices policies with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.inference.bench.protocol import Contestant, Protocol, Stopwatch, Timings, interleave
from greenexp.replay.latency import LatencyTable

if TYPE_CHECKING:
    from greenexp.inference import Tokens
    from greenexp.inference.bench.progress import BatchProgress

MOST_LENGTHS = 8
"""Latency is close to linear between neighbouring lengths: more of them would be measured mostly for their noise."""


def spread_lengths(examples: Sequence[Tokens], most: int = MOST_LENGTHS) -> list[Tokens]:
    """One example of each of at most `most` lengths that occur, the shortest and the longest among them, ascending.

    InputError if there are no examples.
    """
    if not examples:
        raise InputError("there are no examples to measure latencies on")
    by_length = {len(tokens.ids): tokens for tokens in examples}
    lengths = np.array(sorted(by_length))
    wanted = np.linspace(lengths[0], lengths[-1], most)
    nearest = sorted({int(lengths[np.abs(lengths - length).argmin()]) for length in wanted})
    return [by_length[length] for length in nearest]


def measure_latency(
    leaving_at: Mapping[int, Contestant],
    examples: Sequence[Tokens],
    protocol: Protocol,
    stopwatch: Stopwatch,
    *,
    device: str,
    threads: int,
    precision: str,
    progress: BatchProgress | None = None,
) -> LatencyTable:
    """One example per length of `spread_lengths`, at every exit; exits and lengths take turns in every repeat.

    leaving_at: exit number -> the engine made to leave there, having asked every consulted exit below
    """
    chosen = spread_lengths(examples)
    exits = sorted(leaving_at)
    contestants = [leaving_at[number] for number in exits]
    timings = interleave(contestants, [(one,) for one in chosen], protocol, stopwatch, progress)
    return table_of(timings, exits, [len(one.ids) for one in chosen], device, threads, precision)


def table_of(
    timings: Timings, exits: Sequence[int], lengths: Sequence[int], device: str, threads: int, precision: str
) -> LatencyTable:
    """The medians over repeats; contestants of `timings` are the exits, requests the lengths."""
    seconds: npt.NDArray[np.float64] = np.median(timings.seconds, axis=1)
    return LatencyTable(device, threads, precision, np.array(exits), np.array(lengths), seconds)
