"""The command `greenexp replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.quantities import quantity
from greenexp.errors import JournalError


@click.command()
@click.argument("source", metavar="[DIR|URI]", required=False)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="TEXT",
    help="A policy: NAME, NAME:VALUE, NAME:option=value, ...; may be repeated. Default: those of the sweep's record.",
)
@click.option(
    "--trial",
    "trials",
    multiple=True,
    metavar="NAME",
    help="Another trial than the chosen one best on dev; may be repeated; 'all': every one with logits.",
)
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--metric", metavar="NAME", help="Another metric than the sweep's, such as f1 or matthews.")
@click.option("--calibrated", is_flag=True, help="With a temperature per exit, fitted on dev.")
@click.option(
    "--budget",
    "budget_flops",
    callback=quantity("FLOP"),
    metavar="FLOPS",
    help="Thresholds per exit for a mean cost per example, such as '50 MFLOP'.",
)
@click.option(
    "--latency",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Seconds by exit and length, from greenexp bench.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print every operating point as JSON, and add nothing to the record."
)
def replay(source: str | None, *, calibrated: bool, as_json: bool, **options: Any) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI.

    Thresholds are chosen on dev, and shown with what they are worth on test where test logits were stored. Policies
    given with --policy are added to the record of a sweep in a folder, so that `greenexp report`, `export` and, after
    `greenexp sync`, MLflow have them; not with --json or --calibrated.
    """
    from greenexp.api.models import replay as replayed
    from greenexp.cli.models.replay_layout import heading, layouts, points, settings
    from greenexp.cli.printing.findings import print_all, print_remarks
    from greenexp.cli.printing.text_table import print_json

    try:
        findings = replayed(or_newest(source), calibrated=calibrated, add=not (as_json or calibrated), **options)
    except JournalError as error:
        raise JournalError(f"{error} (--json shows the points and adds nothing)") from error
    if as_json:
        print_remarks(findings)
        print_json(points(findings))
        return
    print_all(findings, layouts(findings), as_json=False, heading=heading(findings))
    for setting in settings(findings):
        click.echo(f"the same again: --policy {setting}{' --calibrated' if calibrated else ''}")
