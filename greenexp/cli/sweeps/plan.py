"""The command `greenexp plan`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.printing.text_table import print_json
from greenexp.cli.sweeps.preview import print_preview

if TYPE_CHECKING:
    from greenexp.plan import Plan


@click.command()
@click.argument("sweep", default="smoke", metavar="[SWEEP]")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field of the sweep file.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, every trial included.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of sweep files, for editors, and stop.")
def plan(sweep: str, overrides: tuple[str, ...], as_json: bool, schema: bool) -> None:
    """SWEEP is a sweep file, or the name of a sweep that comes with greenexp. The price is what it costs at most."""
    from greenexp.api import planning
    from greenexp.cli.sweeps.progress import TerminalWatcher

    if schema:
        print_json(planning.schema())
        return
    planned = planning.plan(sweep, set=overrides, watch=TerminalWatcher())
    if as_json:
        print_json(_as_data(planned))
    else:
        print_preview(planned, err=False)


def _as_data(planned: Plan) -> dict[str, Any]:
    price = planned.price
    if price is None:
        raise ValueError("the plan has no price yet")
    return {
        "fingerprint": planned.fingerprint,
        "trials": [trial.to_json() for trial in planned.trials],
        "price": {axis: dataclasses.asdict(bound) for axis, bound in price.bounds.items()},
        "eval_flops": dataclasses.asdict(price.eval_flops),
        "over_budget": list(price.over_budget(planned.spec.budget.limits(), planned.spec.resources.workers)),
        "brackets": [dataclasses.asdict(bracket) for bracket in price.brackets],
        "notes": list(planned.notes),
        "spec": planned.spec.model_dump(mode="json"),
    }
