"""`SweepTables` of a sweep's folder, from its journal, or of a sweep recorded in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from greenexp.errors import InputError
from greenexp.extras import require
from greenexp.records.tables import SweepTables
from greenexp.sources.files import is_table
from greenexp.sources.folders import sweep_folder


@runtime_checkable
class WithTables(Protocol):
    """What has the tables of a sweep, such as `greenexp.Sweep`."""

    @property
    def tables(self) -> SweepTables:
        """The sweep as tables."""


class RecordedSweep(NamedTuple):
    """tables: of the sweep; folder: where it lies, None if it was read from MLflow."""

    tables: SweepTables
    folder: Path | None


def read_tables(source: str | Path, sweep: str | None = None) -> RecordedSweep:
    """The sweep in a folder, from its journal, or at an MLflow address.

    source: a folder, `sqlite:///...` or `http://...`, `ADDRESS#EXPERIMENT`, or an experiment at MLFLOW_TRACKING_URI
    sweep: one of several sweeps at an MLflow address, by name or id
    Raises InputError for a folder without a sweep, TrackingError for what MLflow does not have.
    """
    if is_table(source) and Path(source).is_file():
        raise InputError(f"{source} is a table of scores: a sweep is a folder with a journal, or an MLflow address")
    if not Path(source).is_dir():
        require("mlflow")
        from greenexp.tracking.reader import address
        from greenexp.tracking.reader import read_tables as read_mlflow

        uri, experiment = address(str(source))
        return RecordedSweep(read_mlflow(uri, experiment, sweep), None)
    from greenexp.journal.tables import read_tables as read_journal

    folder = sweep_folder(source)
    return RecordedSweep(read_journal(folder), folder)


def read_unreplayed(folder: str | Path) -> SweepTables:
    """The sweep in a folder without what is replayed from its stored logits. Raises as `read_tables` does."""
    from greenexp.journal.tables import read_tables as read_journal

    return read_journal(sweep_folder(folder), replay=False)


def tables_of(source: str | Path | SweepTables | WithTables) -> SweepTables:
    """The tables at hand, or those that `read_tables` reads."""
    if isinstance(source, SweepTables):
        return source
    if isinstance(source, WithTables):
        return source.tables
    return read_tables(source).tables
