"""`greenexp compare`: which of several groups of scores is better at which budget, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.score_options import parse_estimator, score_options
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.cli.score_tables import ScoreTable

HEADINGS = {
    "leaders": "best by estimate, at every budget looked at",
    "pairs": "pairs",
    "regions": "where the bands part: the better one at all these budgets together",
    "crossings": "where the estimates change places",
    "target": "what it takes to reach the target",
}
NOTHING = {
    "regions": "nowhere: at no budget looked at are two groups told apart",
    "crossings": "nowhere",
}


def parse_confidences(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """`0.8,0.95`, ascending."""
    try:
        found = sorted({float(part) for part in value.split(",")})
    except ValueError:
        found = []
    if not found or not all(0 < confidence < 1 for confidence in found):
        raise click.BadParameter(f"expected numbers between 0 and 1, such as 0.8,0.95, got '{value}'")
    return tuple(found)


@click.command()
@click.argument("sources", metavar="FILE|DIR|URI...", nargs=-1, required=True)
@score_options
@click.option(
    "--estimator", callback=parse_estimator, default="median", show_default=True, metavar="median|0.9|unbiased|biased",
    help="The curves to compare: a quantile of the best, or the expected best (whose band needs --support).",
)  # fmt: skip
@click.option(
    "--confidence", "confidences", callback=parse_confidences, default="0.8,0.95", show_default=True,
    help="Of the bands of a pair's difference, at all budgets together.",
)  # fmt: skip
@click.option("--target", type=float, help="Also what it takes each group to find a score this good.")
def compare(
    sources: tuple[str, ...], score: str | None, cost: str | None, by: str | None, target: float | None, **asked: Any
) -> None:
    """Compare groups of scores pair by pair, at equal numbers of trials or, with --cost, at equal cost.

    Groups are the values of --by, or the SOURCES if there are several (as in `greenexp curve`). For each pair and
    budget: the difference of their curves with its band, the probability that the one finds something better, and a
    p-value corrected for all rows (Holm).
    """
    from greenexp.cli.remarks import as_bad_input, left_out, note
    from greenexp.cli.score_sources import read_several

    table = read_several(sources, score, cost, by, minimize=asked["minimize"], query=asked["query"])
    for text in table.notes:
        note(text)
    if table.bound:
        raise InputError(
            f"trials were stopped early, so their scores are only {table.bound}s of full ones, and the difference of "
            "two bounds bounds nothing"
        )
    if len(table.groups) < 2:
        where = f"there is one value of {by}" if by else "--by COLUMN is missing"
        raise InputError(f"a comparison needs two groups, and {where}")
    left_out(table, costs=cost is not None)
    with as_bad_input():
        if cost is None:
            from greenexp.cli.compare_trials import compare_trials

            found = compare_trials(table, asked)
        else:
            from greenexp.cli.compare_costs import compare_costs

            found = compare_costs(table, asked)
        if target is not None:
            from greenexp.cli.compare_target import reaching

            found["target"] = reaching(table, target, max(asked["confidences"]))
    _print(found, table, asked)


def _print(found: dict[str, pd.DataFrame], table: ScoreTable, asked: dict[str, Any]) -> None:
    from greenexp.cli.folders import print_json
    from greenexp.cli.text_table import print_table, records

    if asked["as_json"]:
        print_json({name: records(frame) for name, frame in found.items()})
        return
    estimator = asked["estimator"]
    curves = estimator if isinstance(estimator, str) else f"{estimator:g} quantile"
    at = f"{table.cost} spent" if table.cost else "n trials"
    click.echo(f"{table.score}, {'smaller' if table.minimize else 'larger'} is better; curves: {curves} best of {at}")
    for name, frame in found.items():
        click.echo(f"\n{HEADINGS[name]}")
        if frame.empty:
            click.echo(NOTHING.get(name, "none"))
        else:
            print_table(frame)
