"""How an energy figure came about, and what a node's energy meters counted in all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

ENERGY_METHOD = "energy_method"
"""Where a report says it, in `EpochRecord.computed_with`; reports of earlier versions do not."""


class EnergyMethod(StrEnum):
    """How the energy of a report was found, from the surest to none.

    MEASURED_EXCLUSIVE: all that the counters of its devices counted; nobody else used these
    MEASURED_SHARED_UTILISATION: its part of the counters, by what its process used of the devices
    MEASURED_SHARED_EQUAL: its part of the counters, by the time it held the devices, as nothing says who used them
    MODELLED: its time on the devices times a power that the user stated
    UNAVAILABLE: there is none
    """

    MEASURED_EXCLUSIVE = "measured_exclusive"
    MEASURED_SHARED_UTILISATION = "measured_shared_utilisation"
    MEASURED_SHARED_EQUAL = "measured_shared_equal"
    MODELLED = "modelled"
    UNAVAILABLE = "unavailable"


_ORDER = tuple(EnergyMethod)


def weakest(methods: Iterable[EnergyMethod]) -> EnergyMethod | None:
    """The least sure of some methods, which is what a sum over them rests on; None of none."""
    return max(methods, key=_ORDER.index, default=None)


@dataclass(frozen=True, slots=True)
class MeteredDevice:
    """What was counted on one device of one node in one session, and how it was divided: the parts are the whole.

        meter_j = trials_j + overhead_j + unattributed_j

    node: a short name of the node, not its host name; device: `cpu`, or the GPU's UUID
    span: the life of its sampler, which begins anew with every session and after a crash; a later account of the same
        span and device holds the earlier one
    counter: what was read, e.g. `RAPL package`; it is one and the same for all of `span_s` seconds
    trials_j: joules divided among trials, reported or not
    overhead_j: idle power while no trial held the device, and what the driver used
    unattributed_j: what somebody else used, or nobody knows
    idle_w: idle power in use at the end; idle_from: `no trial` (measured while none held the device), `lowest` (the
        lowest power seen, as there was no such time), or empty if there is none; idle_window_s: of that measurement
    period_s: between two samples; samples: how many were taken; gaps: how many of them failed
    sampler_cpu_s: CPU seconds that the sampling itself took
    """

    node: str
    span: str
    device: str
    counter: str
    span_s: float
    meter_j: float
    trials_j: float
    overhead_j: float
    unattributed_j: float
    idle_w: float | None
    idle_from: str
    idle_window_s: float | None
    period_s: float
    samples: int
    gaps: int
    sampler_cpu_s: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MeteredDevice:
        """The record `to_json` wrote."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class EnergyMeasurement:
    """The energy of one piece of work of a trial that had the machine to itself.

    what: `training`: of the whole trial once more, or `inference`: of answering at one operating point
    point: the exit policy of the operating point, empty for training; repeat: from 1
    energy_j: joules of the training, idle power included; of inference joules per example above idle power
    idle_w: power of the idle machine just before, W; wall_s: seconds of the training or of the window of answers
    examples: training examples seen, or examples answered in the window
    counters: what was read; reproduced: whether the training came to the recorded scores; None for inference
    """

    trial: str
    what: Literal["training", "inference"]
    point: str
    repeat: int
    energy_j: float
    idle_w: float
    wall_s: float
    examples: int
    counters: str
    reproduced: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EnergyMeasurement:
        """The record `to_json` wrote."""
        return cls(**data)
