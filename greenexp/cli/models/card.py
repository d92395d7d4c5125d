"""The command `greenexp card`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.errors import InputError


@click.command()
@click.argument("source", metavar="[RUN]", required=False)
@click.option("--trial", metavar="NAME", help="Another trial of the sweep than the chosen one that is best on dev.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write to (default: stdout).")
def card(source: str | None, trial: str | None, out: Path | None) -> None:
    """RUN is a sweep's folder or that of a model in it (default: the newest sweep under out/).

    The card has metadata, results per exit and per operating point, how the model was chosen, and what the search cost.
    Intended use, limits and licence are left to its author.
    """
    from greenexp.api.cards import model_card

    text = model_card(or_newest(source), trial=trial)
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from error
    click.echo(out)
