"""The command `greenexp simulate`."""

from __future__ import annotations

from typing import Any

import click

from greenexp.cli.scores.budgets import parse_budgets
from greenexp.cli.scores.options import json_option, seed_option


def parse_names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """`NAME,NAME`, each once."""
    if value is None:
        return None
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="The column of a file with the score of a run at a step.  [score]")
@click.option("--run", metavar="COLUMN", help="The column of a file that says which run a row belongs to.  [run]")
@click.option("--resource", metavar="COLUMN", help="The column of a file that says how far the run had come.  [step]")
@click.option(
    "--cost", metavar="COLUMN|AXIS", help="What the run had used by then.  [the resource; of a sweep, epochs]"
)
@click.option(
    "--objectives",
    metavar="COLUMN,...",
    callback=parse_names,
    help="Costs beside the score, for schedulers that compare several objectives.  [those of the sweep's file]",
)
@click.option(
    "--configuration",
    metavar="COLUMN",
    help="The column of a file whose values are configurations: runs with one value are its seeds.",
)
@click.option(
    "--schedulers",
    metavar="NAME,...",
    callback=parse_names,
    help="The schedulers to simulate, of `greenexp ls schedulers`.  [all that the curves allow]",
)
@click.option(
    "--trials", callback=parse_budgets, metavar="9,27,81", help="The numbers of units that a search begins.  [27]"
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Units trained at a time.")
@click.option(
    "--parts", type=click.IntRange(1), help="Equal parts of a run's own schedule.  [9; of a sweep, its reports]"
)
@click.option(
    "--grace", "grace_period", type=click.IntRange(1), help="Parts before the first rung.  [the scheduler's default]"
)
@click.option(
    "--first-level",
    metavar="QUANTITY",
    help="Rungs are levels of --cost instead (train_flops, energy_j or wall_s), such as '2 TFLOP': the first one.",
)
@click.option(
    "--epsilon", type=float, help="Scores that differ by at most this count as equal in rankings of pasha.  [estimated]"
)
@click.option(
    "--reduction-factor",
    type=float,
    help="At a rung, one of this number of units goes on.  [the scheduler's default]",
)
@click.option(
    "--rung-seeds",
    callback=parse_budgets,
    metavar="1,2,4",
    help="Seeds of a configuration at the first rung, the second, and so on.  [all at every rung]",
)
@click.option("--as-recorded", is_flag=True, help="Judge by the score at a rung, not by the best score so far.")
@click.option("--without-replacement", is_flag=True, help="Draw every unit at most once in a search.")
@click.option("--minimize", is_flag=True, help="In a file, a smaller score is better.")
@click.option(
    "--repeats",
    type=click.IntRange(2),
    default=500,
    show_default=True,
    help="The number of simulated searches behind each printed number.",
)
@seed_option
@json_option
def simulate(
    source: str,
    trials: tuple[float, ...] | None,
    *,
    as_recorded: bool,
    without_replacement: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """The full curves are in a table, or in the folder of a sweep that stopped no trial.

    A table is FILE.csv, .tsv or .parquet with a row per run and evaluation; of a sweep (DIR), all trials must have run
    to their end. Searches are drawn from the curves and run under the schedulers that run sweeps. For each number of
    --trials the table says at which cost full training comes to the same expected best.
    """
    from greenexp.api.comparisons import simulate as simulated
    from greenexp.cli.printing.findings import print_all
    from greenexp.cli.scores.simulate_layout import layouts

    findings = simulated(source, trials=trials, best_so_far=not as_recorded, replace=not without_replacement, **options)
    print_all(findings, layouts(), as_json=as_json, facts={"source": source})
