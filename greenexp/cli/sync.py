"""`greenexp sync`: MLflow brought level with the journal."""

from __future__ import annotations

import click

from greenexp.cli.folders import sweep_folder


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--uri", help="MLflow tracking URI (default: the one the sweep was run with).")
def sync(directory: str | None, uri: str | None) -> None:
    """Bring MLflow level with the journal in DIR; running it again changes nothing."""
    from greenexp.tracking import sync as bring_level

    result = bring_level(sweep_folder(directory), uri=uri)
    click.echo(str(result))
