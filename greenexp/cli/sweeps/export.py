"""The command `greenexp export`."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.remarks import warn
from greenexp.errors import InputError
from greenexp.sources.tables import read_tables


@click.command()
@click.argument("source", metavar="[DIR|URI]", required=False)
@click.option("--out", "target", type=click.Path(path_type=Path), help="Folder to write to (default: DIR/tables).")
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
def export(source: str | None, sweep: str | None, target: Path | None, kind: str) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI. One file per table."""
    source = or_newest(source)
    tables, folder = read_tables(source, sweep)
    for warning in tables.remarks.warnings:
        warn(f"{source}: {warning}")
    target = target or (folder or Path.cwd()) / "tables"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, frame in tables.frames.items():
            path = target / f"{name}.{kind}"
            _write(frame, path)
            click.echo(path)
    except OSError as error:
        raise InputError(f"cannot write the tables to {target}: {error.strerror or error}") from error


def _write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
        return
    mixed = {column: "str" for column in frame.columns if frame[column].dtype == "object"}
    frame.astype(mixed).to_parquet(path, index=False)  # a searched field may hold numbers and words
