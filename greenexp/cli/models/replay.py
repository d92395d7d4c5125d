"""The command `greenexp replay`."""

from __future__ import annotations

from pathlib import Path

import click

from greenexp.cli.models.policies import given_policy
from greenexp.cli.printing.newest import or_newest
from greenexp.cli.printing.text_table import print_json
from greenexp.errors import InputError, JournalError
from greenexp.sources.recorded import EVERY, Recorded, recorded_logits


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
    help=f"Another trial than the chosen one best on dev; may be repeated; '{EVERY}': every one with logits.",
)
@click.option("--sweep", help="One of several sweeps at an MLflow address, by name or id.")
@click.option("--metric", metavar="NAME", help="Another metric than the sweep's, such as f1 or matthews.")
@click.option("--calibrated", is_flag=True, help="With a temperature per exit, fitted on dev.")
@click.option("--budget", metavar="FLOPS", help="Thresholds per exit for a mean cost per example, such as '50 MFLOP'.")
@click.option(
    "--latency",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Seconds by exit and length, from greenexp bench.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print every operating point as JSON, and add nothing to the record."
)
def replay(
    source: str | None,
    policies: tuple[str, ...],
    trials: tuple[str, ...],
    sweep: str | None,
    metric: str | None,
    calibrated: bool,
    budget: str | None,
    latency: Path | None,
    as_json: bool,
) -> None:
    """The sweep lies in DIR (default: the newest under out/), or is recorded at the MLflow URI.

    Thresholds are chosen on dev, and shown with what they are worth on test where test logits were stored. Policies
    given with --policy are added to the record of a sweep in a folder, so that `greenexp report`, `export` and, after
    `greenexp sync`, MLflow have them; not with --json or --calibrated.
    """
    from greenexp.cli.models.replay_table import replay_lines
    from greenexp.cli.models.replay_work import new_labels, replay_trials
    from greenexp.cli.models.replaying import Wish
    from greenexp.replay.latency import read_latency

    wish = Wish(
        policies=tuple(map(given_policy, policies)),
        metric=metric,
        calibrated=calibrated,
        budget_flops=None if budget is None else _flops(budget),
        latency=latency,
    )
    table = None if latency is None else read_latency(latency)
    recorded = recorded_logits(or_newest(source), sweep, trials)
    for problem in recorded.left_out:
        click.echo(f"left out: {problem}", err=True)
    found = replay_trials(recorded, wish, table)
    if as_json:
        print_json([row for trial in found for row in trial.points()])
        return
    added = _add(recorded, new_labels(recorded, wish)) if policies and not calibrated else ""
    lines = replay_lines(recorded, wish, found, table)
    click.echo("\n".join([*lines, *(["", added] if added else [])]))


def _flops(text: str) -> float:
    from greenexp.units import parse_quantity

    try:
        return parse_quantity(float(text) if text.replace(".", "", 1).isdecimal() else text, "FLOP")
    except ValueError as error:
        raise InputError(f"--budget: {error}") from error


def _add(recorded: Recorded, new: list[str]) -> str:
    """Add what is new to the sweep's record; what was done, in words."""
    if recorded.folder is None:
        return "Nothing was added: this is MLflow's record; add policies in the sweep's folder, then `greenexp sync`."
    if not new:
        return ""
    from greenexp.journal.file import NAME, Journal
    from greenexp.journal.state import SweepState

    try:
        with Journal(recorded.folder / NAME) as journal:
            SweepState(journal.events)  # a journal that cannot be understood is not written to
            journal.append("replay", policies=new)
    except JournalError as error:
        raise JournalError(f"{error} (--json shows the points and adds nothing)") from error
    shown = [f"'{label}'" for label in new]
    return (
        f"Added to the record of {recorded.folder}: {', '.join(shown)}. `greenexp report {recorded.folder}` shows it, "
        f"`greenexp sync {recorded.folder}` brings MLflow level."
    )
