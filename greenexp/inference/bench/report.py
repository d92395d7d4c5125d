"""The result of a benchmark. Its fields, nested as they are, are the keys of the JSON that `greenexp bench` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from greenexp.inference.bench.contest import BatchResult
from greenexp.inference.bench.examples import BenchExamples
from greenexp.inference.bench.tokenisation import Tokenisation


@dataclass(frozen=True, slots=True)
class BenchedModel:
    """trial: its name; layers: of its encoder; consulted: the numbers of the exits that are asked, ascending."""

    trial: str
    layers: int
    consulted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BenchedPolicy:
    """text: the policy; notes: how it was chosen, a sentence each."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimedExamples:
    """What was timed: `count` of the `of` examples of a split. shortest, median_length, longest: in tokens."""

    split: str
    of: int
    count: int
    shortest: int
    median_length: float
    longest: int

    @classmethod
    def described(cls, examples: BenchExamples) -> TimedExamples:
        """A description of some examples."""
        lengths = np.array([len(one.ids) for one in examples.tokens])
        return cls(
            split=examples.split,
            of=examples.total,
            count=len(lengths),
            shortest=int(lengths.min()),
            median_length=float(np.median(lengths)),
            longest=int(lengths.max()),
        )


@dataclass(frozen=True, slots=True)
class BenchConditions:
    """device: in words; threads: of PyTorch; versions: package -> version. The others as they were asked for."""

    device: str
    threads: int
    precision: str
    backend: str
    compiled: bool
    check_every: int
    repeats: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything that one benchmark measured.

    batches: one result per batch size, ascending; tokenisation: None where it was not measured
    latency_table: the file that seconds by exit and length were written to, None without one
    not_measured: quantity -> why not; warnings: what makes the times unfit for use, a sentence each
    """

    model: BenchedModel
    policy: BenchedPolicy
    examples: TimedExamples
    conditions: BenchConditions
    batches: tuple[BatchResult, ...]
    tokenisation: Tokenisation | None
    latency_table: str | None = None
    not_measured: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same in plain values; what was not measured is None."""
        return asdict(self)
