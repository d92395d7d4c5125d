"""`greenexp seeds`: what seeds do to scores, how many are worth having, and which methods they tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.score_options import OPEN
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.cli.seed_sources import SeedTable

ORDER_IS_NO_TEST = (
    "epsilon_min (almost-stochastic order, of a above b and in reverse) describes and is no test: of two samples of "
    "one distribution, 3 to 30 scores each, 18 to 21 % came out below 0.5 in one direction and 3 to 9 % below 0.2, and "
    "it is 0 wherever two samples do not overlap, however few the scores (docs/results/how-many-seeds.md)"
)


def parse_where(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """`COLUMN=VALUE`, each column once."""
    found: dict[str, str] = {}
    for part in value:
        name, equals, wanted = part.partition("=")
        if not equals or not name.strip() or name.strip() in found:
            raise click.BadParameter(f"expected COLUMN=VALUE, each column once, got '{part}'")
        found[name.strip()] = wanted.strip()
    return found


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="Column of the scores; of MLflow runs, such as metrics.acc.")
@click.option("--configuration", metavar="COLUMN", help="Column that tells apart what differs by more than its seeds.")
@click.option("--seed", "seeds", metavar="COLUMN", multiple=True, help="Column of a seed; may be given twice.")
@click.option("--by", metavar="COLUMN", help="Methods to compare; of a sweep, a searched field.")
@click.option("--paired", is_flag=True, help="Equal seeds are the same thing to all: compare seed by seed.")
@click.option("--difference", type=click.FloatRange(0, min_open=True), help="How many seeds it takes to see this much.")
@click.option(
    "--trials",
    type=click.IntRange(2, 1_000_000),
    help="To be spent on configurations and seeds.  [as many as there are]",
)
@click.option("--alpha", type=OPEN, default=0.05, show_default=True, help="Level of tests; intervals have 1 - alpha.")
@click.option("--power", type=OPEN, default=0.8, show_default=True, help="Probability with which a difference is seen.")
@click.option("--minimize", is_flag=True, help="A smaller score is better.")
@click.option("--where", metavar="COLUMN=VALUE", multiple=True, callback=parse_where, help="Only these rows of a file.")
@click.option("--filter", "query", metavar="TEXT", help="Only MLflow runs that answer this, in its language.")
@click.option("--resampling-seed", type=int, default=0, show_default=True, help="Of permutations and bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def seeds(source: str, score: str | None, configuration: str | None, by: str | None, **asked: Any) -> None:
    """Print how much of the variance of scores is of the seeds, and how many of them it takes.

    The trials are in a table (FILE.csv, .tsv or .parquet with --score and --configuration), in a sweep's folder (DIR),
    or in anybody's MLflow runs (URI with --score). With --by, methods are compared over their seeds, pair by pair.
    """
    from greenexp.cli.remarks import as_bad_input, note
    from greenexp.cli.seed_sources import Columns, read_seeds
    from greenexp.cli.seed_split import split_sections

    if not asked["power"] > asked["alpha"]:
        raise click.UsageError(f"--power: must be above --alpha, {asked['alpha']:g}")
    if asked["paired"] and by is None:
        raise click.UsageError("--paired: compares methods seed by seed, so it needs --by")
    columns = Columns(score, configuration, asked["seeds"], by, asked["where"])
    table = read_seeds(source, columns, minimize=asked["minimize"], paired=asked["paired"], query=asked["query"])
    for text in table.notes:
        note(text)
    with as_bad_input():
        found = split_sections(table, asked)
        if by is not None:
            found |= _compared(table, asked, bool(found))
    _print(found, table, asked)


def _compared(table: SeedTable, asked: dict[str, Any], split: bool) -> dict[str, pd.DataFrame]:
    """The comparison of methods; if the groups were split, a refusal is a note, for the split stands by itself."""
    from greenexp.cli.remarks import note
    from greenexp.cli.seed_methods import method_sections

    try:
        found = method_sections(table, asked)
    except InputError as error:
        if not split:
            raise
        note(f"nothing is compared: {error}")
        return {}
    _say(found, asked)
    return found


def _say(found: dict[str, pd.DataFrame], asked: dict[str, Any]) -> None:
    """What must be known of the comparison."""
    from greenexp.cli.remarks import note

    pairs = len(found["pairs"])
    note(ORDER_IS_NO_TEST)
    note(
        f"p_holm: corrected for {pairs} pair{'s' * (pairs != 1)}, within each test. Choose the test before looking: "
        "who takes the smallest of several p-values has tested more often than that"
    )
    out = found["reach"].loc[found["reach"]["can_find"].eq(False)]
    for row in out.itertuples():
        note(
            f"{row.test} cannot find anything here at {asked['alpha']:g}: with so few seeds its smallest p-value is "
            f"{row.least_p:.2g}, corrected {row.least_p_holm:.2g}"
        )


def _print(found: dict[str, pd.DataFrame], table: SeedTable, asked: dict[str, Any]) -> None:
    from greenexp.cli.folders import print_json
    from greenexp.cli.seed_layout import HEADINGS, laid_out
    from greenexp.cli.text_table import print_table, records

    if asked["as_json"]:
        print_json({name: records(frame) for name, frame in found.items()})
        return
    click.echo(f"{table.score}, {'smaller' if table.minimize else 'larger'} is better")
    for name, heading in HEADINGS.items():
        if name in found:
            click.echo(f"\n{heading.format(**asked, percent=100 * (1 - asked['alpha']), sure=100 * asked['power'])}")
            print_table(laid_out(name, found[name], table))
