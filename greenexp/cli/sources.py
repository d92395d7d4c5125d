"""Where tables come from: a sweep's folder or an MLflow URI."""

from __future__ import annotations

from pathlib import Path

from greenexp.cli.folders import sweep_folder
from greenexp.errors import InputError
from greenexp.records.tables import SweepTables


def read_source(source: str | None) -> tuple[SweepTables, Path | None]:
    """The tables of a folder (from its journal) or of an MLflow tracking URI, and the folder if it is one.

    A URI has a scheme (`sqlite:///...`, `http://...`); the sweep's name may follow a `#`.
    """
    if source is not None and "://" in source:
        from greenexp.tracking import read_tables as read_mlflow

        uri, _, name = source.partition("#")
        return read_mlflow(uri, sweep=name or None), None
    from greenexp.journal.tables import read_tables as read_journal

    if source is not None and not Path(source).is_dir():
        raise InputError(f"'{source}' is neither a folder nor an MLflow URI")
    folder = sweep_folder(source)
    return read_journal(folder), folder
