"""The command `greenexp measure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.quantities import quantity

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("source", metavar="[DIR]", required=False)
@click.option(
    "--trials", default="front", show_default=True, metavar="WHICH", help="front, chosen, or names with commas."
)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Of each training.")
@click.option("--idle", "idle_s", callback=quantity("s"), default="10 s", show_default=True, help="Rest between them.")
@click.option(
    "--examples", type=click.IntRange(min=1), default=128, show_default=True, help="Texts of an operating point."
)
@click.option("--busy", is_flag=True, help="Measure although other programs run, and record it.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def measure(
    source: str | None, trials: str, repeats: int, idle_s: float, examples: int, *, busy: bool, as_json: bool
) -> None:
    """DIR is the folder of a sweep (default: the newest under out/) that has ended.

    The training of the chosen trial is repeated with the machine to itself, and the models on the front answer at their
    operating points. The machine rests before each, and its idle power is measured then. What is measured is added to
    the record of the sweep; `greenexp report` shows it and `greenexp sync` brings MLflow level.
    """
    from greenexp.api.measuring import CHOSEN, FRONT, MeasuringOptions
    from greenexp.api.measuring import measure as measured
    from greenexp.cli.printing.findings import print_all

    which = trials if trials in (FRONT, CHOSEN) else [name.strip() for name in trials.split(",") if name.strip()]
    options = MeasuringOptions(repeats=repeats, idle_s=idle_s, examples=examples, busy=busy)
    findings = measured(or_newest(source), trials=which, options=options, tell=lambda line: click.echo(line, err=True))
    print_all(findings, {"measured": _shown}, as_json=as_json)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that fit a terminal, in words."""
    from greenexp.units import format_quantity

    joules = {name: [format_quantity(float(value), "J") for value in table[name]] for name in ("energy_j", "sd_j")}
    shown = table.assign(**joules).rename(columns={"energy_j": "energy", "sd_j": "sd"})
    return shown[["trial", "what", "point", "repeats", "energy", "sd"]]
