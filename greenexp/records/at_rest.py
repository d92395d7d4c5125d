"""Which stored logits stand for a trial: those of its best epoch, once it is not in training.

Its best epoch then stands, so that whoever reads the journal and whoever reads MLflow replay the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import StateError
from greenexp.records.epoch import EpochRecord, best_epoch
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.logits import StoredLogits, read_logits

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


@dataclass(frozen=True, eq=False)
class StandingLogits:
    """What could be read of them. problems: why something could not, in words; test is not there without dev."""

    dev: StoredLogits | None
    test: StoredLogits | None = None
    problems: tuple[str, ...] = ()


def logits_at_rest(
    status: str, records: Mapping[int, EpochRecord], held_out: Iterable[HeldOutRecord] = ()
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


def read_standing(folder: Path, names: LogitsNames) -> StandingLogits:
    """The logits of these names in `folder` (`<hash>.npz`). What is absent or damaged is a problem, not an error."""
    problems: list[str] = []
    dev = _read(folder, names.dev, "dev", problems)
    test = _read(folder, names.test, "test", problems) if dev is not None and names.test is not None else None
    return StandingLogits(dev, test, tuple(problems))


def _read(folder: Path, name: str, split: str, problems: list[str]) -> StoredLogits | None:
    """Problems name no folder: the journal's readers and MLflow's must say the same."""
    if not (folder / f"{name}.npz").is_file():
        problems.append(f"{split} logits are not at hand")
        return None
    try:
        return read_logits(folder, name)
    except StateError:
        problems.append(f"{split} logits {name[:16]} are damaged, or of another version")
        return None
