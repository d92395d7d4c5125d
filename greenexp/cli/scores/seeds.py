"""The command `greenexp seeds`."""

from __future__ import annotations

from typing import Any

import click

from greenexp.cli.scores.options import OPEN


def parse_where(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """`COLUMN=VALUE`, each column once."""
    values: dict[str, str] = {}
    for part in value:
        name, equals, wanted = part.partition("=")
        if not equals or not name.strip() or name.strip() in values:
            raise click.BadParameter(f"expected COLUMN=VALUE, each column once, got '{part}'")
        values[name.strip()] = wanted.strip()
    return values


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="The column of the scores; of MLflow runs, such as metrics.acc.")
@click.option("--configuration", metavar="COLUMN", help="The column that names what differs by more than its seeds.")
@click.option(
    "--seed-column",
    "seed_columns",
    metavar="COLUMN",
    multiple=True,
    help="The column of a seed; may be given twice, for two kinds of seeds.",
)
@click.option("--by", metavar="COLUMN", help="The column of the groups to compare; of a sweep, a searched field.")
@click.option("--paired", is_flag=True, help="Compare groups seed by seed: equal seeds are the same thing in all.")
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
@click.option(
    "--confidence",
    type=OPEN,
    default=0.95,
    show_default=True,
    help="The confidence of intervals; the level of tests is 1 minus this.",
)
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
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The random seed of permutations and bootstrap samples."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def seeds(
    source: str,
    score: str | None,
    configuration: str | None,
    seed_columns: tuple[str, ...],
    by: str | None,
    where: dict[str, str],
    query: str | None,
    *,
    minimize: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """The trials are in a table, in a sweep's folder, or in MLflow runs of any program.

    A table is FILE.csv, .tsv or .parquet, with --score and --configuration; runs are a URI with --score. With --by,
    groups are compared over their seeds, pair by pair.
    """
    from greenexp.analysis.seeds.options import SeedOptions
    from greenexp.analysis.seeds.study import seed_study
    from greenexp.cli.printing.findings import print_findings, print_findings_json
    from greenexp.cli.scores.seed_layout import layouts
    from greenexp.sources.request import ScoreRequest, View
    from greenexp.sources.scores import read_scores

    chosen = SeedOptions(**options)
    request = ScoreRequest(
        score=score,
        configuration=configuration,
        seeds=seed_columns,
        by=by,
        where=where,
        query=query or "",
        minimize=minimize,
        shared_seeds=chosen.paired,
    )
    scores = read_scores(source, request, View.TRIALS)
    findings = seed_study(scores, chosen)
    if as_json:
        print_findings_json(findings)
        return
    print_findings(findings, layouts(by), f"{scores.score}, {'smaller' if scores.minimize else 'larger'} is better")
