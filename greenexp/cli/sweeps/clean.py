"""The command `greenexp clean`."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.text_table import print_json, print_table
from greenexp.units import format_quantity


@click.command()
@click.argument("directories", metavar="[DIR]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def clean(directories: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    """DIR is the folder of a sweep (default: the newest under out/), and its sweep may not be running.

    What report, replay, predict, sync and `run --resume` need is kept, and so is the journal.
    """
    from greenexp.api.cleaning import clean as cleaned

    found = cleaned(directories or [or_newest(None)], dry_run=dry_run)
    rows: list[dict[str, Any]] = [
        {"sweep": str(one.folder), "what": what, "files": files, "size_b": size_b}
        for one in found
        for what, (files, size_b) in one.kinds.items()
    ]
    if as_json:
        print_json({"deleted": not dry_run, "leftovers": rows})
        return
    size = format_quantity(float(sum(leftover.size_b for one in found for leftover in one.leftovers)), "B")
    if not rows:
        click.echo("nothing to delete")
        return
    table = pd.DataFrame(rows)
    table["size"] = [format_quantity(float(size_b), "B") for size_b in table.pop("size_b")]
    print_table(table if len(found) > 1 else table.drop(columns="sweep"))
    click.echo(f"{size} would be freed (--dry-run)" if dry_run else f"{size} freed")
