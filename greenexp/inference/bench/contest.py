"""One benchmark: all contestants on the same requests, and what the engine saves, counted three ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from greenexp.errors import InputError
from greenexp.inference.bench.contestants import ENGINE, EVERY_EXIT, NO_EXITS, Contestants
from greenexp.inference.bench.plain import NAME as PLAIN
from greenexp.inference.bench.protocol import Contestant, Protocol, Request, Stopwatch, Timings, best, interleave
from greenexp.inference.bench.summary import Ratio, Speed, ratio, speeds

if TYPE_CHECKING:
    from greenexp.inference.answers import Answer, Tokens
    from greenexp.inference.bench.progress import BatchProgress

TURN = 16
"""Examples a contestant answers in a turn: some tens of milliseconds, so that noise which lasts longer hits all."""
_TRIAL = Protocol(repeats=3, warm_ups=1, least_warm_ups=1)
_TRIED = 6
"""Requests on which the plain model's settings are compared, evenly over the lengths."""


@dataclass(frozen=True, slots=True)
class Saved:
    """How many times as much is needed without exits, for the same examples.

    layers: the speed-up, layers of the whole encoder / mean layers used
    flops, wall_clock: of the engine without exits, which runs up to the last trained exit, / of the engine; FLOPs are
        analytic, at each example's own length, exits asked on the way included
    """

    layers: float
    flops: float
    wall_clock: Ratio


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What was found at one batch size.

    batch_size, requests, warm_ups: examples per request, how many of them, warm-ups per shape (the fewest made)
    exit_shares: consulted exit -> share of the examples that left there; speeds: one per contestant
    exits_cost: seconds with every exit asked / without exits, nobody leaving early
    plain_over_engine, plain_over_no_exits: seconds of the plain model / of the engine with and without exits
    plain_setting, plain_tried: the fastest setting of the plain model, and all that were tried
    plain_agrees: share of the examples to which plain model and engine without exits give one answer
    energy_j: contestant -> joules per example above idle; None where it was not measured
    static_over_engine, static_agrees: of each of ONNX Runtime's whole models: as of the plain model
    """

    batch_size: int
    requests: int
    warm_ups: int
    exit_shares: dict[int, float]
    saved: Saved
    speeds: tuple[Speed, ...]
    exits_cost: Ratio
    plain_over_engine: Ratio
    plain_over_no_exits: Ratio
    plain_setting: str
    plain_tried: tuple[str, ...]
    plain_agrees: float
    energy_j: dict[str, float] | None = None
    static_over_engine: dict[str, Ratio] = field(default_factory=dict)
    static_agrees: dict[str, float] = field(default_factory=dict)

    @property
    def best_static(self) -> tuple[str, Ratio]:
        """The fastest model without early exits, and its seconds / the engine's: below 1 early exit does not pay."""
        everybody = {PLAIN: self.plain_over_engine, **self.static_over_engine}
        return min(everybody.items(), key=lambda one: one[1].median)


def requests_of(examples: Sequence[Tokens], batch_size: int) -> list[Request]:
    """Fixed batches of like lengths, ascending in them; for batch size 1 the examples in their own order.

    The last batch is left out if it would be smaller, unless it is the only one.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: at least 1")
    if batch_size == 1:
        return [(one,) for one in examples]
    ordered = sorted(examples, key=lambda one: len(one.ids))
    batches = [tuple(ordered[start : start + batch_size]) for start in range(0, len(ordered), batch_size)]
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) < batch_size else batches


def contest(
    contestants: Contestants,
    examples: Sequence[Tokens],
    batch_size: int,
    protocol: Protocol,
    stopwatch: Stopwatch,
    progress: BatchProgress | None = None,
) -> BatchResult:
    """Time everybody at one batch size; the plain model at the fastest of its settings. progress: is told the steps."""
    requests = requests_of(examples, batch_size)
    if not requests:
        raise InputError("there are no examples to time")
    protocol = replace(protocol, turn=max(1, TURN // batch_size))
    if progress is not None:
        progress.step(f"choosing among {len(contestants.plain)} settings of the plain model")
    setting, plain = _fastest(contestants.plain, requests, protocol, stopwatch)
    everybody = (*contestants.timed, plain, *contestants.static)
    timings = interleave(everybody, requests, protocol, stopwatch, progress)
    said = {one.name: [answer for request in requests for answer in one.answer(request)] for one in everybody}
    layers = contestants.engines[ENGINE].model.backbone.num_layers
    result = result_of(timings, said[ENGINE], said[NO_EXITS], said[PLAIN], setting, tuple(contestants.plain), layers)
    names = [one.name for one in contestants.static]
    return replace(
        result,
        static_over_engine={name: ratio(timings, name, ENGINE) for name in names},
        static_agrees={name: _agree(said[NO_EXITS], said[name]) for name in names},
    )


def result_of(
    timings: Timings,
    left: Sequence[Answer],
    stayed: Sequence[Answer],
    plain_said: Sequence[int | float],
    plain_setting: str,
    plain_tried: tuple[str, ...],
    encoder_layers: int,
) -> BatchResult:
    """The numbers from raw times and answers; left, stayed: of the engine with and without exits, same examples."""
    exits = np.array([answer.exit for answer in left])
    return BatchResult(
        batch_size=int(timings.examples.max()),
        requests=len(timings.examples),
        warm_ups=timings.warm_ups,
        exit_shares={int(number): float((exits == number).mean()) for number in np.unique(exits)},
        saved=Saved(
            layers=encoder_layers * len(left) / sum(one.layer for one in left),
            flops=sum(one.inference_flops for one in stayed) / sum(one.inference_flops for one in left),
            wall_clock=ratio(timings, NO_EXITS, ENGINE),
        ),
        speeds=speeds(timings),
        exits_cost=ratio(timings, EVERY_EXIT, NO_EXITS),
        plain_over_engine=ratio(timings, PLAIN, ENGINE),
        plain_over_no_exits=ratio(timings, PLAIN, NO_EXITS),
        plain_setting=plain_setting,
        plain_tried=plain_tried,
        plain_agrees=_agree(stayed, plain_said),
    )


def _agree(stayed: Sequence[Answer], said: Sequence[int | float]) -> float:
    """Share of the examples to which a static model gives the answer of the engine without exits."""
    return float(np.mean([_same(one.prediction, other) for one, other in zip(stayed, said, strict=True)]))


def _same(ours: float, theirs: float) -> bool:
    """One class, or values that differ by no more than rounding."""
    return ours == theirs if isinstance(ours, int) else math.isclose(ours, theirs, rel_tol=1e-3, abs_tol=1e-3)


def _fastest(
    plain: dict[str, Contestant], requests: Sequence[Request], protocol: Protocol, stopwatch: Stopwatch
) -> tuple[str, Contestant]:
    """The setting with the least time over a few requests, evenly from the shortest to the longest."""
    ordered = sorted(requests, key=lambda request: max(len(one.ids) for one in request))
    some = [ordered[i] for i in np.linspace(0, len(ordered) - 1, min(_TRIED, len(ordered))).astype(int)]
    winner = best(tuple(plain.values()), some, replace(_TRIAL, turn=protocol.turn), stopwatch)
    return next(setting for setting, one in plain.items() if one is winner), winner
