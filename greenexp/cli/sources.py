"""Where tables come from: a sweep's folder or an MLflow address."""

from __future__ import annotations

from pathlib import Path

from greenexp.cli.folders import sweep_folder
from greenexp.records.tables import SweepTables


def read_source(source: str | None, sweep: str | None = None) -> tuple[SweepTables, Path | None]:
    """The tables of a folder (from its journal), or of MLflow; and the folder if it is one.

    MLflow is meant by an address (`sqlite:///...`, `http://...`), by `address#experiment`, or by the name of an
    experiment at MLFLOW_TRACKING_URI; `sweep` is one of several there, by name or id. None is the only sweep under
    `out/`.
    """
    if source is not None and not Path(source).is_dir():
        from greenexp.tracking.reader import address
        from greenexp.tracking.reader import read_tables as read_mlflow

        uri, experiment = address(source)
        return read_mlflow(uri, experiment, sweep), None
    from greenexp.journal.tables import read_tables as read_journal

    folder = sweep_folder(source)
    return read_journal(folder), folder
