"""The command `greenexp curve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from greenexp.cli.scores.budgets import parse_budgets
from greenexp.cli.scores.options import confidence_option, parse_estimator, score_options


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@score_options
@click.option(
    "--estimator",
    callback=parse_estimator,
    default="unbiased",
    show_default=True,
    metavar="unbiased|biased|median|0.9",
    help="The expected best score, estimated without or with replacement, or a quantile of the best score.",
)
@confidence_option
@click.option(
    "--test",
    metavar="COLUMN",
    help="The column of test scores: prints the expected test score of the trial with the best --score.",
)
@click.option("--best-so-far", is_flag=True, help="Print also the best score so far, in the order of the rows.")
@click.option(
    "--extrapolate",
    callback=parse_budgets,
    metavar="N[,N...]",
    help="Print also the best score of N trials, more than were made, by a model, with the error of its back-test.",
)
@click.option(
    "--bootstrap",
    is_flag=True,
    help="Print also percentile bootstrap intervals, which hold less often than their confidence says.",
)
@click.option("--mean-cost", is_flag=True, help="With --cost: take n trials to cost n times the mean cost.")
def curve(
    source: str, *, extrapolate: tuple[float, ...] | None, plot: Path | None, as_json: bool, **options: Any
) -> None:
    """The scores are in a table, in a sweep's folder, or in MLflow runs of any program.

    A table is FILE.csv, .tsv or .parquet, with --score; runs are a URI with --score; DIR is a sweep's folder. The curve
    of a group is the best score to expect of n trials, or, with --cost, for a given cost. A trial without a score has
    failed: without --cost it is left out, with --cost it costs and scores nothing.
    """
    from greenexp.api.statistics import curve as tuning_curve
    from greenexp.cli.printing.findings import print_all
    from greenexp.cli.scores.curve_layout import layouts

    findings = tuning_curve(source, extrapolate=extrapolate or (), **options)
    print_all(findings, layouts(options["by"], options["estimator"]), as_json=as_json, plot=plot)
