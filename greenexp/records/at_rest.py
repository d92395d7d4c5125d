"""Which stored logits stand for a trial: those of its best epoch, once it is not in training.

Its best epoch then stands, so that whoever reads the journal and whoever reads MLflow replay the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenexp.records.epoch import EpochRecord, best_epoch
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.progress import Epochs

FOLDER = "logits"
"""Of a sweep's folder, where workers store logits."""
AT_REST = frozenset({"finished", "stopped", "failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class LogitsNames:
    """Hashes of a trial's logits at its best epoch: on dev, and of the last evaluation of that epoch on test."""

    dev: str
    test: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Those there are, dev first."""
        return (self.dev,) if self.test is None else (self.dev, self.test)


def logits_at_rest(
    status: str, records: Mapping[Epochs, EpochRecord], held_out: Iterable[HeldOutRecord] = ()
) -> LogitsNames | None:
    """The logits that stand for a trial, or None: it may train on, or stored none.

    records: epoch -> its latest record; held_out: its evaluations on test, in their order
    """
    if status not in AT_REST or not records:
        return None
    best = best_epoch(records)
    record = None if best is None else records[best]
    if record is None or record.dev_logits is None:
        return None
    tested = [found.logits for found in held_out if found.epoch == record.epoch and found.logits is not None]
    return LogitsNames(record.dev_logits, tested[-1] if tested else None)
