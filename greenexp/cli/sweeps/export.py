"""The command `greenexp export`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.remarks import warn_of_tables


@click.command()
@click.argument("source", metavar="[DIR|URI]", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to (default: DIR/tables).")
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
def export(source: str | None, sweep: str | None, out: Path | None, kind: str) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI. One file per table."""
    from greenexp.api.sweeps import load

    opened = load(or_newest(source), sweep=sweep)
    warn_of_tables(opened)
    for path in opened.export(kind, out=out):
        click.echo(path)
