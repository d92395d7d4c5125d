"""The actor that trains with others: a `TrialWorker` with further processes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.errors import LostProcessError
from greenexp.meters import Meters
from greenexp.meters.summed import SummedMeters
from greenexp.records.epoch import EpochRecord
from greenexp.tasks.prepared import PreparedTask
from greenexp.training import TrialRun
from greenexp.tuning.companions import Companions
from greenexp.tuning.worker import TrialWorker


class ParallelWorker(TrialWorker):
    """One slot of the sweep, whose trial several processes train; this one is their first.

    The others live as long as it does, and are started anew only where a trial failed, or ran out of memory: nobody
    knows then what is left in them.
    """

    _companions: Companions | None = None

    def take(self, config: Mapping[str, Any]) -> None:
        """See `TrialTaker.take`."""
        super().take(config)
        self._config = dict(config)

    def cleanup(self) -> None:
        """See `TrialWorker.cleanup`."""
        super().cleanup()
        self._end_companions()

    def drop(self) -> None:
        """Let go of the trial, in all processes."""
        super().drop()
        if self._companions is not None and not self._companions.leave():
            self._end_companions()

    def _meters(self) -> Meters:
        companions = self._others()  # first, as starting processes is no part of a trial's costs
        return SummedMeters(super()._meters(), companions.readings)

    def _made(self, data: PreparedTask, meters: Meters) -> TrialRun:
        companions = self._others()
        self._together = companions.processes
        begun = companions.begin({**self._config, "at_once": self._at_once})
        run = super()._made(data, meters)
        try:
            companions.built(begun)
        except BaseException:
            run.close()
            raise
        return run

    def _trained(self) -> EpochRecord | None:
        run, companions = self._training(), self._others()
        companions.train()
        try:
            record = run.train_on(self._is_save_due)
        except LostProcessError as error:
            raise companions.why_lost(error) from error
        companions.trained()
        return record

    def _is_leaving(self) -> bool:
        return super()._is_leaving() or self._others().is_leaving()

    def _others(self) -> Companions:
        if self._companions is None:
            self._companions = Companions(self._settings)
        return self._companions

    def _end_companions(self) -> None:
        companions, self._companions = self._companions, None
        if companions is not None:
            companions.close()
