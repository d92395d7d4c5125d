"""The meters of a trial that several processes train: what all of them used."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenexp.meters.measure import MeterReading, Meters
from greenexp.records.energy import weakest
from greenexp.records.epoch import Costs

_SILENCE = "a process of the trial did not say what it used"
SILENT = MeterReading(Costs(0.0), dict.fromkeys(("cpu_s", "gpu_s", "energy_j", "peak_memory_b"), _SILENCE))
"""Of a process that cannot be asked."""


class SummedMeters(Meters):
    """Meters of a trial's first process, whose readings hold what the other processes read since they were last asked.

    own: of this process, which are closed with these; others: what the others read in the window that ends now
    """

    def __init__(self, own: Meters, others: Callable[[], Sequence[MeterReading]]) -> None:  # no counters of its own
        self._own, self._others = own, others
        self.gpus = own.gpus

    def start(self) -> None:
        """Begin a window now, in this process."""
        self._own.start()

    def keep_up(self) -> None:
        """See `Meters.keep_up`."""
        self._own.keep_up()

    def read(self) -> MeterReading:
        """What the window that ends now cost, in all processes."""
        found = self._own.read()
        for other in self._others():
            found = beside(found, other)
        return found

    def close(self) -> None:
        """Give the counters back; twice is allowed."""
        self._own.close()


def beside(one: MeterReading, other: MeterReading) -> MeterReading:
    """What two processes used in the same time; what one of them could not measure is not measured."""
    method = weakest((one.energy_method, other.energy_method)) or one.energy_method
    return MeterReading(one.costs.beside(other.costs), {**other.not_measured, **one.not_measured}, method)
