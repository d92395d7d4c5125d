"""The command `greenexp front`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from greenexp.cli.scores.budgets import parse_budgets
from greenexp.cli.scores.options import confidence_option, json_option, outside_option, plot_option, seed_option


def parse_levels(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """`.25,.5,.75`, ascending."""
    try:
        levels = sorted({float(part) for part in value.split(",")})
    except ValueError:
        levels = []
    if not levels or not all(0 < level <= 1 for level in levels):
        raise click.BadParameter(f"expected shares above 0 and up to 1, such as .25,.5,.75, got '{value}'")
    return tuple(levels)


def parse_reference(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """`0.5,100`: score, cost."""
    if value is None:
        return None
    try:
        score, cost = (float(part) for part in value.split(","))
    except ValueError:
        score = cost = math.nan
    if not math.isfinite(score) or not math.isfinite(cost):
        raise click.BadParameter(f"expected a score and a cost, such as 0.5,100, got '{value}'")
    return score, cost


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="The column of the scores; of MLflow runs, such as metrics.acc.")
@click.option("--cost", metavar="COLUMN", help="The column of the costs, less is better.  [a sweep: inference_flops]")
@click.option("--minimize", is_flag=True, help="A smaller score is better.")
@click.option(
    "--by",
    metavar="COLUMN",
    help="The column of the groups to compare; of a sweep, policy, configuration or a searched field.",
)
@click.option(
    "--trial",
    metavar="COLUMN",
    help="The column of the trial (or seed) that a point belongs to.  [each row is its own trial]",
)
@click.option(
    "--reference",
    callback=parse_reference,
    metavar="SCORE,COST",
    help="The worst corner of hypervolumes.  [the worst score and cost seen]",
)
@click.option(
    "--budgets",
    callback=parse_budgets,
    metavar="1,2,5|1:100",
    help="Numbers of trials for which the expected hypervolume is printed.",
)
@click.option(
    "--levels",
    callback=parse_levels,
    default=".25,.5,.75",
    show_default=True,
    metavar="SHARE,...",
    help="Shares of the trials that attainment curves stand for.",
)
@click.option(
    "--baseline", metavar="FILE|DIR", help="Set each group against this line, too: its mean height at equal cost."
)
@outside_option
@confidence_option
@click.option("--filter", "query", metavar="TEXT", help="Keep only the MLflow runs that match this MLflow filter.")
@seed_option
@plot_option
@json_option
def front(
    source: str,
    score: str | None,
    cost: str | None,
    by: str | None,
    trial: str | None,
    query: str | None,
    plot: Path | None,
    *,
    minimize: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """The points are in a table, in a sweep's folder, or in MLflow runs of any program.

    A table is FILE.csv, .tsv or .parquet, with --score and --cost; of a sweep (DIR) the points are its operating
    points, without the oracle; runs are a URI with --score and --cost. With --by, fronts are compared. A row without a
    score or a cost is never on the front; equal points are on it together.
    """
    from greenexp.api.comparisons import front as front_findings
    from greenexp.cli.printing.findings import print_all
    from greenexp.cli.scores.front_layout import heading, layouts

    findings = front_findings(
        source, score=score, cost=cost, by=by, trial=trial, query=query or "", minimize=minimize, **options
    )
    print_all(
        findings,
        layouts(findings),
        as_json=as_json,
        plot=plot,
        heading=heading(findings),
        single_rows=("reference",),
    )
