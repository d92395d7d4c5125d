"""The command `greenexp plan`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from greenexp.assets import find_sweep
from greenexp.cli.printing.text_table import print_json
from greenexp.cli.sweeps.fetching import fetch_assets
from greenexp.cli.sweeps.preview import preview_lines

if TYPE_CHECKING:
    from greenexp.plan import Plan
    from greenexp.plan.price import Price


@click.command()
@click.argument("sweep", default="smoke", metavar="[SWEEP]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field of the sweep file.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, every trial included.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of sweep files, for editors, and stop.")
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool, schema: bool) -> None:
    """SWEEP is a sweep file, or the name of a sweep that comes with greenexp. The price is what it costs at most."""
    from greenexp.plan import editor_schema, make_plan
    from greenexp.plan.price import price_plan
    from greenexp.spec import load_sweep

    if schema:
        print_json(editor_schema())
        return
    planned = make_plan(load_sweep(find_sweep(sweep), overrides))
    fetch_assets(planned)
    price = price_plan(planned)
    if as_json:
        print_json(_as_data(planned, price))
        return
    for label, text in preview_lines(planned, price):
        click.echo(f"{label:13} {text}")


def _as_data(planned: Plan, price: Price) -> dict[str, Any]:
    from greenexp.spec import resolved

    return {
        "fingerprint": planned.fingerprint,
        "trials": [trial.to_json() for trial in planned.trials],
        "price": {axis: dataclasses.asdict(bound) for axis, bound in price.bounds.items()},
        "eval_flops": dataclasses.asdict(price.eval_flops),
        "over_budget": list(price.over_budget(planned.spec.budget.limits(), planned.spec.resources.workers)),
        "brackets": [dataclasses.asdict(bracket) for bracket in price.brackets],
        "notes": list(planned.notes),
        "spec": resolved(planned.spec),
    }
