"""What single trials are expected to take, and how long one may be silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MARGIN = 10.0
"""By default a trial may take so many times as long as its longest report so far took: others may cost far less."""
LEAST_S = 120.0


def default_limit_s(report_s: float) -> float:
    """Seconds without a report after which a trial is given up, if a report takes `report_s`."""
    return max(LEAST_S, MARGIN * report_s)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What single trials are expected to take.

    report_s: trial -> longest expected seconds between two signs of life, its set-up included; those that are known
    report_source: what that rests on; "" where it is known of no trial
    memory_b: largest peak, bytes, of trials of these shapes that ran; None where none is on record, or on a GPU, whose
        memory nobody hands out; memory_source: where it was measured
    """

    report_s: Mapping[str, float] = field(default_factory=dict)
    report_source: str = ""
    memory_b: float | None = None
    memory_source: str = ""


NOTHING_FORESEEN = Foreseen()
