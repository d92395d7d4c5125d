"""What is recorded of a sweep as a whole, besides its file and its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.records.energy import EnergyMeasurement, MeteredDevice
from greenexp.records.stints import SessionSpan, Stint


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit and what was used when it was passed, in the axis' unit; None if that can no longer be told."""

    axis: str
    used: float | None
    limit: float


@dataclass(frozen=True, slots=True)
class SweepHistory:
    """How a sweep went.

    fingerprint: of what determines its numbers; began: seconds since 1970; elapsed_s: while some driver was at work
    complete: everything has ended; limit: the budget limit that ended it, None without one
    policies: exit policies of its record; sessions: versions, machine and data of every driver, as recorded
    stints, spans: when trials held workers, and when drivers were at work; the journal alone has them, so that they are
        empty of a sweep read from MLflow, and no part of what two records of a sweep are compared by
    metered: what the energy meters of the nodes have counted, by device and span; measured: energy of work that was
        done once more, alone
    """

    name: str
    fingerprint: str = ""
    began: float = 0.0
    elapsed_s: float | None = None
    complete: bool = True
    limit: LimitReached | None = None
    policies: tuple[Any, ...] = ()
    sessions: tuple[Mapping[str, Any], ...] = ()
    metered: tuple[MeteredDevice, ...] = ()
    measured: tuple[EnergyMeasurement, ...] = ()
    stints: tuple[Stint, ...] = field(default=(), compare=False)
    spans: tuple[SessionSpan, ...] = field(default=(), compare=False)
