"""The options that `greenexp curve` and `greenexp compare` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from greenexp.cli.budgets import parse_budgets

METHODS = ("equal_local_levels", "ks", "dkw", "ld_highest_density")
OPEN = click.FloatRange(0, 1, min_open=True, max_open=True)


def parse_estimator(ctx: click.Context, param: click.Parameter, value: str) -> str | float:
    """A name, or a number for a quantile."""
    if value in {"unbiased", "biased", "median"}:
        return value
    try:
        level = float(value)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise click.BadParameter(f"expected unbiased, biased, median or a number between 0 and 1, got '{value}'")
    return level


def parse_support(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """`0,1`: the smallest and the largest score there can be."""
    if value is None:
        return None
    try:
        least, most = (float(part) for part in value.split(","))
    except ValueError:
        least, most = 1.0, 0.0
    if not least < most:
        raise click.BadParameter(
            f"expected the smallest and the largest score there can be, such as 0,1, got '{value}'"
        )
    return least, most


def score_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the scores are."""
    options = (
        click.option("--score", metavar="COLUMN", help="Column of the scores; of MLflow runs, such as metrics.acc."),
        click.option("--cost", metavar="COLUMN", help="Column of what each trial cost; of a sweep, a budget axis."),
        click.option("--by", metavar="COLUMN", help="A group per value of this column; of a sweep, a searched field."),
        click.option("--budgets", callback=parse_budgets, metavar="1,2,5|1:100", help="Trials, or amounts of --cost."),
        click.option("--minimize", is_flag=True, help="A smaller score is better."),
        click.option("--band", type=click.Choice(METHODS), default=METHODS[0], show_default=True),
        click.option("--support", callback=parse_support, metavar="LEAST,MOST", help="Possible scores, such as 0,1."),
        click.option("--filter", "query", metavar="TEXT", help="Only MLflow runs that answer this, in its language."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of what is simulated or resampled."),
        click.option("--json", "as_json", is_flag=True, help="Print it as JSON."),
    )
    for option in reversed(options):
        command = option(command)
    return command
