"""`greenexp logs`: what a trial logged."""

from __future__ import annotations

import click

from greenexp.cli.folders import JOURNAL, sweep_folder
from greenexp.errors import UnknownNameError
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState


@click.command()
@click.argument("trial")
@click.option("--out", "directory", metavar="DIR", help="The sweep's folder (default: the only one under out/).")
def logs(trial: str, directory: str | None) -> None:
    """Print the log of TRIAL: its attempts, epochs and, where it failed, the traceback."""
    folder = sweep_folder(directory)
    state = SweepState(read_events(folder / JOURNAL))
    if trial not in state.trials:
        raise UnknownNameError("trial", trial, list(state.trials))
    path = folder / "logs" / f"{trial}.log"
    if path.is_file():
        click.echo(path.read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    else:
        click.echo(f"{trial} has logged nothing (it is {state.trials[trial].status})", err=True)
