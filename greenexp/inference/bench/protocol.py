"""How contestants are timed: warm-ups, turns that alternate within every repeat, a clock that waits for the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from greenexp.errors import InputError

if TYPE_CHECKING:
    from greenexp.inference import Tokens
    from greenexp.inference.bench.progress import BatchProgress

Request: TypeAlias = "tuple[Tokens, ...]"
"""What is answered at once: one example, or a fixed batch."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that answers requests: one answer per example, or its prediction.

    `answer` may return before the device is done: the clock waits for it.
    """

    name: str
    answer: Callable[[Request], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """`now`: seconds on a monotonic clock; `synchronise` returns when the device has nothing left to do."""

    now: Callable[[], float]
    synchronise: Callable[[], None]

    @classmethod
    def of(cls, device: torch.device) -> Stopwatch:
        """The clock of this machine for work on `device`."""
        if device.type == "cuda":
            return cls(time.perf_counter, lambda: torch.cuda.synchronize(device))
        return cls(time.perf_counter, lambda: None)

    def seconds(self, work: Callable[[], object]) -> float:
        """Seconds from an idle device to an idle device."""
        self.synchronise()
        begin = self.now()
        work()
        self.synchronise()
        return self.now() - begin


@dataclass(frozen=True, slots=True)
class Protocol:
    """How often what is run.

    repeats: of all requests, by every contestant
    warm_ups: per shape of request and contestant, before anything is timed; cut short, but not below `least_warm_ups`,
        when those of one shape have taken `warm_up_limit_s`
    turn: requests a contestant answers before it is the next one's turn. At a turn's beginning one of them is answered
        untimed: caches then hold what this contestant uses, as they do where it runs alone
    """

    repeats: int = 5
    warm_ups: int = 20
    least_warm_ups: int = 3
    warm_up_limit_s: float = 0.5
    turn: int = 16

    def __post_init__(self) -> None:
        for name in ("repeats", "warm_ups", "least_warm_ups", "turn"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: at least 1")


@contextmanager
def fixed_threads(threads: int | None) -> Iterator[int]:
    """Inside, torch computes with this number of threads (None: as many as before); gives the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, eq=False)
class Timings:
    """Raw times of one interleaved run.

    contestants: their names; seconds: float64 [contestant, repeat, request]; examples: int64 [request]
    warm_ups: the fewest that a shape got from a contestant
    """

    contestants: tuple[str, ...]
    seconds: npt.NDArray[np.float64]
    examples: npt.NDArray[np.int64]
    warm_ups: int


def interleave(
    contestants: Sequence[Contestant],
    requests: Sequence[Request],
    protocol: Protocol,
    stopwatch: Stopwatch,
    progress: BatchProgress | None = None,
) -> Timings:
    """Time every contestant on every request `protocol.repeats` times, taking turns, so that noise hits all alike.

    progress: is told warm-ups and repeats, between them and never within what is timed. Who begins changes from turn to
    turn. InputError if there is nobody, or nothing to answer.
    """
    if not contestants or not requests:
        raise InputError("nothing to time: there must be a contestant and a request")
    warm_ups = min(_warm_up(one, requests, protocol, stopwatch, progress) for one in contestants)
    seconds = np.full((len(contestants), protocol.repeats, len(requests)), np.nan)
    with torch.inference_mode():
        for repeat in range(protocol.repeats):
            begin = stopwatch.now()
            for number, first in enumerate(range(0, len(requests), protocol.turn)):
                part = slice(first, first + protocol.turn)
                for step in range(len(contestants)):
                    place = (step + number + repeat) % len(contestants)
                    seconds[place, repeat, part] = _turn(contestants[place], requests[part], stopwatch)
            if progress is not None:
                progress.repeat(repeat + 1, stopwatch.now() - begin)
    sizes = np.array([len(request) for request in requests], dtype=np.int64)
    return Timings(tuple(one.name for one in contestants), seconds, sizes, warm_ups)


def best(
    contestants: Sequence[Contestant], requests: Sequence[Request], protocol: Protocol, stopwatch: Stopwatch
) -> Contestant:
    """The one with the least total of each request's shortest time."""
    if len(contestants) == 1:
        return contestants[0]
    totals = interleave(contestants, requests, protocol, stopwatch).seconds.min(axis=1).sum(axis=1)
    return contestants[int(totals.argmin())]


def _turn(contestant: Contestant, requests: Sequence[Request], stopwatch: Stopwatch) -> list[float]:
    if len(requests) > 1:
        contestant.answer(requests[0])
    return [stopwatch.seconds(partial(contestant.answer, request)) for request in requests]


def _warm_up(
    contestant: Contestant,
    requests: Sequence[Request],
    protocol: Protocol,
    stopwatch: Stopwatch,
    progress: BatchProgress | None,
) -> int:
    """The fewest runs that a shape, (examples, longest), got. The requests of a shape take turns."""
    if progress is not None:
        progress.step(f"warming up: {contestant.name}")
    shapes: dict[tuple[int, int], list[Request]] = {}
    for request in requests:
        shapes.setdefault((len(request), max(len(tokens.ids) for tokens in request)), []).append(request)
    fewest = protocol.warm_ups
    with torch.inference_mode():
        for same in shapes.values():
            begin, made = stopwatch.now(), 0
            while made < protocol.warm_ups:
                if made >= protocol.least_warm_ups and stopwatch.now() - begin >= protocol.warm_up_limit_s:
                    break
                contestant.answer(same[made % len(same)])
                stopwatch.synchronise()
                made += 1
            fewest = min(fewest, made)
    return fewest
