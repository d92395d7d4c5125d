"""Options that commands about scores share, one vocabulary for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from greenexp.cli.scores.budgets import parse_budgets

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


def parse_where(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """`COLUMN=VALUE`, each column once."""
    values: dict[str, str] = {}
    for part in value:
        name, equals, wanted = part.partition("=")
        if not equals or not name.strip() or name.strip() in values:
            raise click.BadParameter(f"expected COLUMN=VALUE, each column once, got '{part}'")
        values[name.strip()] = wanted.strip()
    return values


plot_option = click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also draw the result: FILE.svg, .pdf or .png.",
)
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="The random seed of simulations and resampling."
)
CONFIDENCE = (
    "The confidence of intervals and bands (of a curve's, at all budgets together); the level of tests is 1 minus it"
)
confidence_option = click.option("--confidence", type=OPEN, default=0.95, show_default=True, help=f"{CONFIDENCE}.")
outside_option = click.option(
    "--outside",
    type=click.Choice(["refuse", "clamp"]),
    default="refuse",
    show_default=True,
    help="Of points beyond the baseline's range: refuse them, or take the nearest end of its line.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
_SCORE_OPTIONS = (
    click.option("--score", metavar="COLUMN", help="The column of the scores; of MLflow runs, as metrics.acc."),
    click.option("--cost", metavar="COLUMN", help="The column of what a trial cost; of a sweep, a budget axis."),
    click.option("--by", metavar="COLUMN", help="The column of the groups; of a sweep, a searched field."),
    click.option(
        "--budgets",
        callback=parse_budgets,
        metavar="1,2,5|1:100",
        help="Numbers of trials, or with --cost amounts of the cost.",
    ),
    click.option("--minimize", is_flag=True, help="A smaller score is better."),
    click.option(
        "--band",
        type=click.Choice(METHODS),
        default=METHODS[0],
        show_default=True,
        help="The method by which confidence bands are made.",
    ),
    click.option(
        "--support",
        callback=parse_support,
        metavar="LEAST,MOST",
        help="The smallest and the largest score there can be, such as 0,1.",
    ),
    click.option(
        "--where",
        metavar="COLUMN=VALUE",
        multiple=True,
        callback=parse_where,
        help="Keep only the rows of a table with this value; may be given several times.",
    ),
    click.option(
        "--filter",
        "query",
        metavar="TEXT",
        default="",
        help="Keep only the MLflow runs that match this MLflow filter.",
    ),
    seed_option,
    plot_option,
    json_option,
)


def score_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `curve` and `compare`: what the scores are, and how curves of them are computed."""
    for option in reversed(_SCORE_OPTIONS):
        command = option(command)
    return command
