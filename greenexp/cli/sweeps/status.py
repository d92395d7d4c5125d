"""The command `greenexp status`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import pandas as pd

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.text_table import print_json, print_table
from greenexp.cli.sweeps.progress import totals
from greenexp.records.axes import AXES
from greenexp.records.priced import PriceFact
from greenexp.sources.status import SweepStatus
from greenexp.units import format_quantity


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(directory: str | None, as_json: bool) -> int:
    """DIR is the folder of a sweep (default: the newest one under out/)."""
    from greenexp.api.sweeps import load

    where = load(or_newest(directory)).status
    if as_json:
        print_json(dataclasses.asdict(where))
    else:
        _print(where)
    return 1 if where.trials.get("failed") else 0


def _print(where: SweepStatus) -> None:
    click.echo(f"{where.name or Path(where.folder).resolve().name}  {where.state}  {totals(where)}")
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
