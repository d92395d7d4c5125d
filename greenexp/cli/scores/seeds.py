"""The command `greenexp seeds`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from greenexp.cli.scores.options import OPEN, confidence_option, json_option, parse_where, plot_option, seed_option


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="The column of the scores; of MLflow runs, such as metrics.acc.")
@click.option("--configuration", metavar="COLUMN", help="The column that names the configuration.")
@click.option(
    "--seed-column",
    "seed_columns",
    metavar="COLUMN",
    multiple=True,
    help="The column of a seed; may be given twice, for two kinds of seeds.",
)
@click.option("--by", metavar="COLUMN", help="The column of the groups to compare; of a sweep, a searched field.")
@click.option("--paired", is_flag=True, help="Compare groups seed by seed: equal seed numbers are the same seed.")
@click.option(
    "--difference",
    type=click.FloatRange(0, min_open=True),
    help="A true difference of scores; says how many seeds it takes to find it.",
)
@click.option(
    "--trials",
    type=click.IntRange(2, 1_000_000),
    help="The number of trials to spend on configurations and seeds.  [as many as there are]",
)
@confidence_option
@click.option(
    "--power",
    type=OPEN,
    default=0.8,
    show_default=True,
    help="The probability with which a test is to find a true difference.",
)
@click.option("--minimize", is_flag=True, help="A smaller score is better.")
@click.option(
    "--where",
    metavar="COLUMN=VALUE",
    multiple=True,
    callback=parse_where,
    help="Keep only the rows of a file with this value; may be given several times.",
)
@click.option("--filter", "query", metavar="TEXT", help="Keep only the MLflow runs that match this MLflow filter.")
@seed_option
@plot_option
@json_option
def seeds(
    source: str,
    score: str | None,
    configuration: str | None,
    seed_columns: tuple[str, ...],
    by: str | None,
    where: dict[str, str],
    query: str | None,
    plot: Path | None,
    *,
    minimize: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """The trials are in a table, in a sweep's folder, or in MLflow runs of any program.

    A table is FILE.csv, .tsv or .parquet, with --score and --configuration; runs are a URI with --score. With --by,
    groups are compared over their seeds, pair by pair.
    """
    from greenexp.api.comparisons import seeds as seed_findings
    from greenexp.cli.printing.findings import print_all
    from greenexp.cli.printing.waiting import waiting
    from greenexp.cli.scores.seed_layout import heading, layouts

    with waiting("splitting the variance"):
        findings = seed_findings(
            source,
            score=score,
            configuration=configuration,
            seed_columns=seed_columns,
            by=by,
            where=where,
            query=query or "",
            minimize=minimize,
            **options,
        )
    print_all(findings, layouts(by), as_json=as_json, plot=plot, heading=heading(findings))
