"""How fast trials run on a machine, by what they compute: what a price in seconds, joules and money rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from greenexp.records.sections import Packing
from greenexp.records.settings import Settings
from greenexp.records.values import canonical_json

FLOOR = 0.08
"""Least scale of the log of a sweep's speed over that which was measured before: see docs/decisions/0032."""
OTHER_BATCH, OTHER_METHOD, OTHER_PACKING, OTHER_VERSION = 0.15, 0.2, 0.25, 0.1
"""What is added to it, as a square root of a sum of squares, where something else than the same was measured."""
PRIOR_FREEDOM = 3
"""How many sweeps the floor is worth: the degrees of freedom of the error where one sweep was measured."""
EVAL_RATIO, EVAL_SPREAD = 0.55, 0.3
"""Seconds per FLOP of evaluation over those of training where they were not told apart, and the sd of its log."""

POWER_DOUBT = 0.15
"""Standard deviation of the log of a worker's power in watts, from one sweep to the next."""

BUSY = 0.7
"""Share of its cores' time below which other programs ran beside a trial."""
BUSY_DOUBT = 0.5
"""What is added to the doubt then, per log of the share: what other programs take may end, or grow."""


@dataclass(frozen=True, slots=True)
class TrialKind:
    """What decides how many seconds a FLOP takes; backbone: its section of the sweep file as JSON text.

    packing: trials at a time, CPU cores and GPUs of each; and its processes, where they are several
    compiled: whether its layers are compiled, which takes longer than many a report
    """

    method: str
    backbone: str
    precision: str
    max_length: int
    batch_size: int
    packing: Packing
    compiled: bool = False

    @classmethod
    def of(cls, settings: Settings, packing: Packing) -> TrialKind:
        """That of a trial with these settings."""
        training = settings.training
        backbone = canonical_json(settings.backbone.to_json())
        sizes = training.max_length, training.micro_batch_size or training.batch_size
        return cls(settings.method.name, backbone, training.precision, *sizes, packing, training.compile)

    def doubt_about(self, other: TrialKind) -> float | None:
        """The sd of the log by which a speed of `other` may differ from this one's; None: it says nothing."""
        if self._kept != other._kept:
            return None
        differs = (
            (self.method != other.method, OTHER_METHOD),
            (self.batch_size != other.batch_size, OTHER_BATCH),
            (self.packing != other.packing, OTHER_PACKING),
        )
        return math.sqrt(sum(amount**2 for is_other, amount in differs if is_other))

    @property
    def _kept(self) -> tuple[Any, ...]:
        """Of another one of these nothing follows."""
        return self.backbone, self.precision, self.max_length, self.compiled

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.method}, {self.max_length} tokens, batch {self.batch_size}, {self.packing[0]} trials at a time"


@dataclass(frozen=True, slots=True)
class TrialSpeed:
    """How fast trials of a shape ran; a trial's set-up is apart.

    seconds: worker seconds, in which train_flops and eval_flops were computed; eval_ratio: seconds per FLOP of
        evaluation over those of training, eval_spread: sd of its log
    setup_s: seconds of building a trial; report_s: of a report, besides its FLOPs, where that is apart
    cpu_share: CPU seconds per worker second, watts: joules per worker second, None where they were not measured
    power_doubt: sd of the log of watts
    spread: sd of the log between trials of a sweep; doubt: scale of the log of a whole sweep's speed over this one,
        Student's t with `freedom` degrees of freedom
    peak_memory_b: largest memory of a worker, bytes, of batches that were computed whole; None where not measured
    trials, sweeps: how many were measured; source: where, in words
    """

    seconds: float
    train_flops: float
    eval_flops: float = 0.0
    eval_ratio: float = EVAL_RATIO
    eval_spread: float = EVAL_SPREAD
    setup_s: float = 0.0
    report_s: float = 0.0
    cpu_share: float | None = None
    watts: float | None = None
    power_doubt: float = POWER_DOUBT
    spread: float = 0.0
    doubt: float = FLOOR
    freedom: float = PRIOR_FREEDOM
    peak_memory_b: float | None = None
    trials: int = 1
    sweeps: int = 1
    source: str = ""

    def per_flop(self, ratio: float) -> float:
        """Seconds per FLOP of training, if one of evaluation takes `ratio` times as long."""
        return self.seconds / (self.train_flops + ratio * self.eval_flops)


@dataclass(frozen=True, slots=True)
class Overhead:
    """What a session takes besides its trials, in elapsed seconds.

    start_s: from its begin to its first trial, and its end; warm_s: of a worker's first trial, on its account, beyond
        what a trial's set-up takes; gap_s: between two reports of a worker; test_s: of a chosen trial on test, besides
        its FLOPs; doubt: sd of the log of them; source: where measured
    """

    start_s: float
    warm_s: float = 0.0
    gap_s: float = 0.0
    test_s: float = 0.0
    doubt: float = 0.3
    source: str = ""


@dataclass(frozen=True, slots=True)
class Speeds:
    """All that is known of a machine's speed; notes: what was not used, and why."""

    shapes: Mapping[TrialKind, TrialSpeed] = field(default_factory=dict)
    overhead: Overhead | None = None
    notes: tuple[str, ...] = ()

    def of(self, shape: TrialKind) -> TrialSpeed | None:
        """The speed of a shape, of the most alike one where it was not measured itself: its doubt is then greater."""
        return self._nearest(shape, math.inf)

    def same(self, shape: TrialKind) -> TrialSpeed | None:
        """The speed of this very shape."""
        return self._nearest(shape, 0.0)

    def peak_memory(self, shape: TrialKind) -> tuple[float, str] | None:
        """(bytes, where measured): the largest memory of trials of this shape, however many ran at a time."""
        known = [
            (speed.peak_memory_b, speed.source)
            for other, speed in self.shapes.items()
            if speed.peak_memory_b is not None and replace(other, packing=shape.packing) == shape
        ]
        return max(known, default=None)

    def _nearest(self, shape: TrialKind, most: float) -> TrialSpeed | None:
        known = ((shape.doubt_about(other), speed, other) for other, speed in self.shapes.items())
        close = [(doubt, speed, other) for doubt, speed, other in known if doubt is not None and doubt <= most]
        if not close:
            return None
        doubt, speed, other = min(close, key=lambda entry: entry[0])
        if not doubt:
            return speed
        return replace(speed, doubt=math.hypot(speed.doubt, doubt), source=f"{speed.source} ({other.told})")

    def and_then(self, later: Speeds) -> Speeds:
        """These, and of `later` what these do not say."""
        shapes, notes = {**later.shapes, **self.shapes}, (*self.notes, *later.notes)
        return Speeds(shapes, self.overhead or later.overhead, notes)


def pooled(logs: Sequence[float], floor: float = FLOOR) -> tuple[float, float]:
    """(scale, degrees of freedom) of the log of the next sweep's speed over the mean of the sweeps before.

    logs: x_i, the log of seconds per FLOP of each of n sweeps; floor: s0, which counts as PRIOR_FREEDOM = v0 of them

        s^2 = (v0 s0^2 + sum (x_i - mean)^2) / (v0 + n - 1),    scale = s sqrt(1 + 1 / n),    v0 + n - 1

    The posterior predictive distribution of a normal mean and variance, with a flat prior on the mean and a scaled
    inverse chi-squared one on the variance (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3). With one
    sweep nothing but the floor says how sweeps differ.
    """
    count = len(logs)
    mean = math.fsum(logs) / count
    freedom = PRIOR_FREEDOM + count - 1
    variance = (PRIOR_FREEDOM * floor**2 + math.fsum((x - mean) ** 2 for x in logs)) / freedom
    return math.sqrt(variance * (1 + 1 / count)), freedom


def busy_doubt(cpu_share: float | None, packing: Packing) -> float:
    """The sd of the log that comes of other programs beside the trials that were measured; 0.0 with a GPU."""
    cores, gpus = packing[1:3]
    if not cpu_share or gpus > 0 or cpu_share / cores >= BUSY:
        return 0.0
    return BUSY_DOUBT * math.log(cores / cpu_share)


def spread_of(logs: Iterable[float]) -> float:
    """Standard deviation (n - 1); 0.0 of fewer than two."""
    values = list(logs)
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))
