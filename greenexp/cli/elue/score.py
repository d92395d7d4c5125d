"""The command `greenexp elue score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.scores.options import confidence_option, json_option, outside_option, plot_option

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 24
"""Rows of points shown; the JSON has all."""

task_option = click.option("--task", metavar="NAME", default="", help="The task, where a source has several.")


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--baseline", metavar="SOURCE", required=True, help="What the points are set against, as a SOURCE.")
@click.option(
    "--baseline-configuration", metavar="NAME", default="", help="Of the baseline's sweep: a configuration or trial."
)
@click.option(
    "--baseline-policy", metavar="NAME", default="", help="Of the baseline's sweep: another line than its exits."
)
@click.option("--configuration", metavar="NAME", default="", help="Another configuration of the sweep, or one trial.")
@click.option("--policy", "policies", metavar="NAME", multiple=True, help="Only this line of a sweep; may be repeated.")
@task_option
@click.option(
    "--split",
    type=click.Choice(["dev", "test"]),
    default="dev",
    show_default=True,
    help="Of a sweep's scores; on test the thresholds are those that were chosen on dev.",
)
@outside_option
@click.option(
    "--points", "most_points", type=click.IntRange(min=1), default=12, show_default=True, metavar="N",
    help="Points chosen of a policy's many thresholds, evenly over cost.",
)  # fmt: skip
@confidence_option
@plot_option
@json_option
def score(sources: tuple[str, ...], plot: Path | None, *, as_json: bool, **options: Any) -> None:
    """SOURCE is a sweep's folder, an MLflow address, a table with columns mflops and points, or a paper's YAML.

    Score = mean over points of (p - p_base(f)), p in points, f in MFLOPs, p_base
    the straight segments between the baseline's points. Of a sweep each exit
    policy of the chosen configuration is a line, and each trial a seed. The
    coordinates of the official baseline are not published, so that the baseline
    is named here, and scores do not compare with those of the official board.
    """
    from greenexp.api.elue import score as score_of
    from greenexp.cli.printing.findings import print_all

    print_all(score_of(*sources, **options), layouts(), as_json=as_json, plot=plot)


def layouts() -> dict[str, Any]:
    """Table -> what is shown of it."""
    return {"scores": _scores, "seeds": _seeds, "points": _points}


def _scores(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.drop(columns=["baseline"])
    return shown if shown["mparams"].notna().any() else shown.drop(columns=["mparams"])


def _seeds(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if frame["line"].duplicated().any() else frame.head(0)


def _points(frame: pd.DataFrame) -> pd.DataFrame:
    return frame if len(frame) <= MOST_SHOWN else frame.head(0)
