"""`greenexp curve`: the best score to expect of so many trials, or for so much money, from any table of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.budgets import parse_budgets
from greenexp.cli.score_options import OPEN, parse_estimator, score_options

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.cli.score_tables import ScoreTable


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@score_options
@click.option(
    "--estimator", callback=parse_estimator, default="unbiased", show_default=True,
    metavar="unbiased|biased|median|0.9", help="Expected best, without or with replacement, or a quantile of the best.",
)  # fmt: skip
@click.option("--confidence", type=OPEN, default=0.95, show_default=True, help="Of the band, at all budgets together.")
@click.option("--test", metavar="COLUMN", help="Test scores: what the best on --score of n trials is worth on test.")
@click.option("--incumbent", is_flag=True, help="Also the best so far in the order of rows: what this search had.")
@click.option(
    "--extrapolate", callback=parse_budgets, metavar="N[,N...]",
    help="Also so many trials, more than were made, by a model of the best scores; with its back-test.",
)  # fmt: skip
@click.option("--bootstrap", is_flag=True, help="Also percentile bootstrap intervals, which cover less than they say.")
@click.option("--mean-cost", is_flag=True, help="With --cost: put n trials at n x the mean cost, as others do.")
def curve(source: str, score: str | None, cost: str | None, by: str | None, **asked: Any) -> None:
    """Print the tuning curve of each group of scores: the best score of n trials, or of what a cost pays for.

    The scores are in a table (FILE.csv, .tsv or .parquet with --score), in a sweep's folder (DIR), or in anybody's
    MLflow runs (URI with --score). A trial without a score has crashed: with --cost it costs and scores nothing.
    """
    from greenexp.cli.remarks import as_bad_input, note
    from greenexp.cli.score_tables import read_scores

    if cost is None and asked["mean_cost"]:
        raise click.UsageError("--mean-cost: only together with --cost")
    if cost is not None and asked["bootstrap"]:
        raise click.UsageError("--bootstrap: only over trials, without --cost")
    for name in ("extrapolate", "test"):
        if cost is not None and asked[name]:
            raise click.UsageError(f"--{name}: only over trials, without --cost")
    table = read_scores(source, score, cost, by, minimize=asked["minimize"], query=asked["query"], test=asked["test"])
    if score is None and asked["incumbent"]:
        raise click.UsageError("--incumbent: of a sweep, the report has it, over everything that was spent")
    for text in table.notes:
        note(text)
    with as_bad_input():
        if cost is None:
            from greenexp.cli.curve_over_trials import over_trials as made
        else:
            from greenexp.cli.curve_over_costs import over_costs as made
        frame = made(table, asked)
    _print(frame, table, asked)


def _print(frame: pd.DataFrame, table: ScoreTable, asked: dict[str, Any]) -> None:
    from greenexp.cli.folders import print_json
    from greenexp.cli.text_table import print_table, records

    if asked["as_json"]:
        print_json(records(frame))
        return
    # What is the same in every row goes into the headings.
    shown = frame.drop(columns=["score", "estimator", "band_of", "confidence", "bound", "computed"], errors="ignore")
    headings = {"estimate": _estimate_heading(frame, table)}
    if "lower" in frame:
        band = f"of the {frame['band_of'].iloc[0]}, {100 * frame['confidence'].iloc[0]:g} %"
        headings |= {"lower": f"lower ({band})", "upper": f"upper ({band})"}
    if "test_of_winner" in frame:
        headings["test_of_winner"] = f"expected {asked['test']} of the winner"
    if table.by is None:
        shown = shown.drop(columns="by")
    else:
        headings["by"] = table.by
    print_table(shown.rename(columns=headings))


def _estimate_heading(frame: pd.DataFrame, table: ScoreTable) -> str:
    name = str(frame["estimator"].iloc[0])
    words = {"unbiased": "expected best", "biased": "expected best (biased)", "median": "median best"}
    heading = words.get(name, f"{name} of the best")
    return f"{heading}, {table.bound}" if table.bound else heading
