"""The command `greenexp checklist`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.remarks import warn_of_tables
from greenexp.errors import InputError


@click.command()
@click.argument("source", metavar="[DIR|URI]", required=False)
@click.option("--format", "kind", type=click.Choice(["md", "tex"]), default="md", show_default=True)
@click.option(
    "--list",
    "names",
    type=click.Choice(["arr", "neurips", "emnlp"]),
    multiple=True,
    help="Only this checklist; may be repeated (default: all).",
)
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write to (default: stdout).")
def checklist(source: str | None, kind: str, names: tuple[str, ...], sweep: str | None, out: Path | None) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI.

    Each item is answered as far as the record goes, with its numbers and the section of the report where they stand;
    what the record cannot know is left to you.
    """
    from greenexp.api.sweeps import load

    opened = load(or_newest(source), sweep=sweep)
    warn_of_tables(opened)
    text = opened.checklist(kind, lists=names)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    click.echo(out)
