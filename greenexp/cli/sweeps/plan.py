"""The command `greenexp plan`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.printing.completion import complete_sweep
from greenexp.cli.printing.text_table import print_json
from greenexp.cli.sweeps.preview import print_preview

if TYPE_CHECKING:
    from greenexp.plan import Plan


@click.command()
@click.argument("sweep", default="smoke", metavar="[SWEEP]", shell_complete=complete_sweep)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a field of the sweep file.")
@click.option("--from", "measured_in", metavar="DIR", help="Sweeps whose speed counts: a folder, or MLflow's address.")
@click.option("--calibrate", is_flag=True, help="Measure the speed of what no sweep has trained here (a minute).")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, every trial included.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of sweep files, for editors, and stop.")
def plan(
    sweep: str, overrides: tuple[str, ...], measured_in: str | None, calibrate: bool, as_json: bool, schema: bool
) -> None:
    """SWEEP is a sweep file, or the name of a sweep that comes with greenexp.

    The price is in all units: counts and FLOPs are computed, time, energy and money follow from sweeps that ran on this
    type of machine, or from a calibration.
    """
    from greenexp.api import planning
    from greenexp.cli.sweeps.progress import TerminalWatcher

    if schema:
        print_json(planning.schema())
        return
    planned = planning.plan(sweep, set=overrides, measured_in=measured_in, calibrate=calibrate, watch=TerminalWatcher())
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
        "worker_s": dataclasses.asdict(price.worker_s),
        "over_budget": list(price.over_budget(planned.spec.budget.limits())),
        "time_after": price.time_after or None,
        "foreseen": dataclasses.asdict(price.foreseen),
        "data": [dataclasses.asdict(each) for each in price.data],
        "brackets": [dataclasses.asdict(bracket) for bracket in price.brackets],
        "notes": [*price.notes, *planned.notes],
        "spec": planned.spec.model_dump(mode="json"),
    }
