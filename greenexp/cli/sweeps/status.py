"""The command `greenexp status`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.text_table import print_json
from greenexp.cli.sweeps.progress import totals
from greenexp.journal.budget import used
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState
from greenexp.records.axes import AXES
from greenexp.sources.folders import JOURNAL, sweep_folder
from greenexp.units import format_quantity


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(directory: str | None, as_json: bool) -> int:
    """DIR is the folder of a sweep (default: the newest one under out/)."""
    folder = sweep_folder(or_newest(directory))
    state = SweepState(read_events(folder / JOURNAL))
    data = _status(state, folder)
    if as_json:
        print_json(data)
    else:
        _print(data, state)
    return 1 if data["trials"].get("failed") else 0


def _status(state: SweepState, folder: Path) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for trial in state.trials.values():
        counts[trial.status] = counts.get(trial.status, 0) + 1
    best = state.best
    closed = state.sessions[-1].closed if state.sessions else None
    return {
        "name": state.header.get("name"),
        "folder": str(folder),
        "state": _stage(state, closed),
        "trials": counts,
        "used": used(state),
        "limits": state.spec.budget.limits() if state.header else {},
        "limit_reached": dataclasses.asdict(state.limit) if state.limit else None,
        "elapsed_s": state.elapsed_s,
        "sessions": len(state.sessions),
        "best": {"trial": best.spec.trial, "score": best.score} if best else None,
        "failures": {t.spec.trial: t.reason for t in state.trials.values() if t.status == "failed"},
    }


def _stage(state: SweepState, closed: str | None) -> str:
    if not state.header:
        return "not begun: the journal is empty"
    if state.complete:
        return "finished"
    return closed or ("running or killed" if state.sessions else "planned")


def _print(data: dict[str, Any], state: SweepState) -> None:
    name = data["name"] or Path(data["folder"]).resolve().name
    click.echo(f"{name}  {data['state']}  {totals(state, data['limits'])}")
    for axis, value in data["used"].items():
        limit = data["limits"].get(axis)
        of = f" of {format_quantity(limit, AXES[axis].unit)}" if limit else ""
        name = "elapsed" if axis == "wall_s" else axis
        click.echo(f"  {name:12} {format_quantity(value, AXES[axis].unit)}{of}")
    for trial, reason in data["failures"].items():
        click.echo(f"  failed       {trial}: {reason}")
