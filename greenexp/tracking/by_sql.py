"""MLflow's own databases, read by SQL where its client takes long."""

from __future__ import annotations

from greenexp.tracking.databases import POSTGRESQL
from greenexp.tracking.server import sqlite_file
from greenexp.tracking.snapshot_postgresql import PostgresqlRuns
from greenexp.tracking.snapshot_sqlite import SqliteRuns, UnknownTablesError

__all__ = ["UnknownTablesError", "sql_runs"]


def sql_runs(uri: str) -> SqliteRuns | PostgresqlRuns | None:
    """Who reads the database at this address by SQL; None for an address of something else."""
    file = sqlite_file(uri)
    if file is not None:
        return SqliteRuns(file)
    return PostgresqlRuns(uri) if uri.partition("://")[0] in POSTGRESQL else None
