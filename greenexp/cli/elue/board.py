"""The command `greenexp elue board`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from greenexp.cli.scores.options import json_option, outside_option

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.analysis.elue.line import Outside


@click.command()
@click.argument("papers", metavar="FILE...", nargs=-1, required=True)
@click.option("--baseline", metavar="FILE", help="What points are scored against, a file of the same form.")
@outside_option
@json_option
def board(papers: tuple[str, ...], baseline: str | None, outside: Outside, *, as_json: bool) -> None:
    """FILE is a YAML of one model's points on one or several tasks, typed from a paper or written by `elue check`.

    A task may have a published score instead of points. The average needs all six
    tasks and is rounded half up to two decimals, as the benchmark's server
    rounds; a track shows the best performance of the models that fit.
    """
    from greenexp.api.elue import board as board_of
    from greenexp.cli.printing.findings import print_all

    findings = board_of(*papers, baseline=baseline, outside=outside)
    print_all(findings, {"board": _known, "tracks": _known}, as_json=as_json)


def _known(frame: pd.DataFrame) -> pd.DataFrame:
    """Without columns in which nothing is known."""
    return frame.dropna(axis="columns", how="all")
