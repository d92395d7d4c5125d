"""The command `greenexp logs`."""

from __future__ import annotations

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.errors import UnknownNameError
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState
from greenexp.sources.folders import JOURNAL, sweep_folder


@click.command()
@click.argument("trial")
@click.option("--out", "directory", metavar="DIR", help="The sweep's folder (default: the newest one under out/).")
def logs(trial: str, directory: str | None) -> None:
    """TRIAL is the name of a trial. Its log has attempts, epochs and, where it failed, the traceback."""
    folder = sweep_folder(or_newest(directory))
    state = SweepState(read_events(folder / JOURNAL))
    if trial not in state.trials:
        raise UnknownNameError("trial", trial, list(state.trials))
    path = folder / "logs" / f"{trial}.log"
    if path.is_file():
        click.echo(path.read_text(encoding="utf-8", errors="replace").rstrip("\n"))
    else:
        click.echo(f"{trial} has logged nothing (it is {state.trials[trial].status})", err=True)
