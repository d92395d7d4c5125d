"""The command `greenexp sync`."""

from __future__ import annotations

import click

from greenexp.cli.printing.newest import or_newest


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--uri", help="MLflow tracking URI (default: the one the sweep was run with).")
def sync(directory: str | None, uri: str | None) -> None:
    """DIR is the folder of a sweep (default: the newest under out/). Running it again changes nothing."""
    from greenexp.api.sweeps import load

    done = load(or_newest(directory)).sync(uri)
    for text in done.remarks:
        click.echo(f"MLflow        {text}", err=True)
    what = f"{done.trials} trials and {done.reports} reports from {done.events} events"
    click.echo(f"{done.sweep}: {what} are in {done.address}, experiment '{done.experiment}'")
