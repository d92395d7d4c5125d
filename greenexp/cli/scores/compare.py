"""The command `greenexp compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from greenexp.cli.scores.options import CONFIDENCE, parse_estimator, score_options


def parse_confidences(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """`0.8,0.95`, ascending."""
    try:
        confidences = sorted({float(part) for part in value.split(",")})
    except ValueError:
        confidences = []
    if not confidences or not all(0 < confidence < 1 for confidence in confidences):
        raise click.BadParameter(f"expected numbers between 0 and 1, such as 0.8,0.95, got '{value}'")
    return tuple(confidences)


@click.command()
@click.argument("sources", metavar="FILE|DIR|URI...", nargs=-1, required=True)
@score_options
@click.option(
    "--estimator",
    callback=parse_estimator,
    default="median",
    show_default=True,
    metavar="median|0.9|unbiased|biased",
    help="The curves to compare: a quantile of the best score, or the expected best (whose band needs --support).",
)
@click.option(
    "--confidence",
    "confidences",
    callback=parse_confidences,
    default="0.8,0.95",
    show_default=True,
    help=f"{CONFIDENCE}. Of several there is a band each, and tests go by the greatest.",
)
@click.option("--target", type=float, help="A score; also prints the trials or cost that each group needs to reach it.")
def compare(sources: tuple[str, ...], *, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Groups are the values of --by, or the SOURCES if there are several; each source is one of `greenexp curve`.

    Every pair is compared at equal numbers of trials or, with --cost, at equal cost: the difference of their curves
    with its band, the probability that the one finds something better, and a p-value, corrected for all rows (Holm).
    """
    from greenexp.api.statistics import compare as compared
    from greenexp.cli.printing.findings import print_all
    from greenexp.cli.printing.waiting import waiting
    from greenexp.cli.scores.compare_layout import layouts

    with waiting("comparing groups"):
        findings = compared(list(sources), **options)
    print_all(findings, layouts(every=options["budgets"] is not None), as_json=as_json, plot=plot)
