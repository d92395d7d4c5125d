"""`greenexp report`: the show-your-work report of recorded sweeps."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.sources import read_source
from greenexp.errors import InputError

FORMATS = ("html", "md", "tex", "csv")


def _formats(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        raise click.BadParameter(f"expected some of {','.join(FORMATS)}, got '{value}'")
    return chosen


@click.command()
@click.argument("sources", metavar="[DIR|URI]...", nargs=-1)
@click.option("--format", "formats", callback=_formats, default="html", show_default=True, metavar="html,md,tex,csv")
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Folder to write to (default: the sweep's own).")
def report(sources: tuple[str, ...], formats: tuple[str, ...], sweep: str | None, target: Path | None) -> None:
    """Write the report of each sweep: folders (from the journal) or MLflow addresses."""
    from greenexp.report import render_report

    for source in sources or (None,):
        tables, folder = read_source(source, sweep)
        place = target or folder or Path.cwd()
        if len(sources) > 1 and target is not None:
            place = target / str(tables.facts.get("name", "sweep"))
        try:
            for path in render_report(tables, formats, place):
                click.echo(path)
        except OSError as error:
            raise InputError(f"cannot write the report to {place}: {error.strerror or error}") from error
