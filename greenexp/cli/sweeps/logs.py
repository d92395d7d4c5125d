"""The command `greenexp logs`."""

from __future__ import annotations

import click

from greenexp.cli.printing.newest import or_newest


@click.command()
@click.argument("trial")
@click.option("--out", "directory", metavar="DIR", help="The sweep's folder (default: the newest one under out/).")
def logs(trial: str, directory: str | None) -> None:
    """TRIAL is the name of a trial. Its log has attempts, epochs and, where it failed, the traceback."""
    from greenexp.api.sweeps import load

    text = load(or_newest(directory)).log(trial)
    if text:
        click.echo(text)
    else:
        click.echo(f"{trial} has logged nothing", err=True)
