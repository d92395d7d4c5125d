"""The command `greenexp status`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import pandas as pd

from greenexp.cli.printing.completion import complete_folder
from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.text_table import print_json, print_table
from greenexp.cli.sweeps.lines import expected_end, totals
from greenexp.errors import InputError
from greenexp.records.axes import AXES
from greenexp.records.priced import PriceFact
from greenexp.sources.status import SweepStatus
from greenexp.units import format_quantity

EVERY_S = 2.0
SHORTEST_S, LONGEST_S = 0.1, 86_400.0


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, shell_complete=complete_folder)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option(
    "--watch",
    is_flag=False,
    flag_value=str(EVERY_S),
    metavar="[SECONDS]",
    help=f"Look again every SECONDS (default: {EVERY_S:g}) until the sweep has ended; Ctrl-C leaves it as it is.",
)
def status(directory: str | None, as_json: bool, watch: str | None) -> int:
    """DIR is the folder of a sweep (default: the newest one under out/)."""
    if watch is not None:
        if as_json:
            raise InputError("--watch and --json exclude each other")
        return _watched(directory, watch)
    from greenexp.api.sweeps import load

    where = load(or_newest(directory)).status
    if as_json:
        print_json(dataclasses.asdict(where))
    else:
        print_status(where)
    return _exit_code(where)


def _watched(directory: str | None, watch: str) -> int:
    """Look until the sweep has ended or the user leaves; `--watch DIR` is meant as DIR, not as seconds."""
    from greenexp.cli.sweeps.watching import watch_sweep
    from greenexp.sources.folders import sweep_folder

    try:
        every_s = float(watch)
    except ValueError:
        if directory is not None:
            raise InputError(f"--watch takes a number of seconds, not {watch!r}") from None
        directory, every_s = watch, EVERY_S
    if not SHORTEST_S <= every_s <= LONGEST_S:
        raise InputError(f"--watch takes {SHORTEST_S:g} to {LONGEST_S:,.0f} seconds, not {watch}")
    return _exit_code(watch_sweep(sweep_folder(or_newest(directory)), every_s))


def _exit_code(where: SweepStatus) -> int:
    return 1 if where.trials.get("failed") else 0


def print_status(where: SweepStatus) -> None:
    """Where the sweep stands, its budget, and what failed."""
    click.echo(f"{where.name or Path(where.folder).resolve().name}  {where.state}  {totals(where)}")
    if where.state == "running or killed" and expected_end(where):
        click.echo(f"  {'expected':12} {expected_end(where)}, as of its last report")
    _print_budget(where)
    if where.remark is not None:
        click.echo(f"  {'journal':12} {where.remark}")
    for trial, reason in where.failures.items():
        click.echo(f"  failed       {trial}: {reason}")


def _print_budget(where: SweepStatus) -> None:
    """Axis by axis what was used, its price before, lost of it, is reserved, and is allowed; no empty columns.

    The price is the 80 % interval that was worked out when the sweep began.
    """
    columns = {"lost": where.lost, "reserved": where.reserved, "limit": where.limits}
    shown = {name: values for name, values in columns.items() if any(values.values())}
    rows = [
        {"axis": "elapsed" if axis == "wall_s" else axis, "used": format_quantity(used, AXES[axis].unit)}
        | ({"price": _interval(axis, where.price.get(axis))} if where.price else {})
        | {name: _amount(axis, values.get(axis)) for name, values in shown.items()}
        for axis, used in where.used.items()
    ]
    if rows:
        print_table(pd.DataFrame(rows))


def _interval(axis: str, price: PriceFact | None) -> str:
    if price is None:
        return "-"
    low, high = (format_quantity(price[end], AXES[axis].unit) for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"


def _amount(axis: str, value: float | None) -> str:
    return format_quantity(value, AXES[axis].unit) if value else "-"
