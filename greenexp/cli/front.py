"""`greenexp front`: which points of score and cost are worth having, and what a front is worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.budgets import parse_budgets
from greenexp.cli.score_options import OPEN

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.cli.front_points import PointTable

MOST_SHOWN = 20
HEADINGS = {
    "front": "Pareto front: no other point of the group costs as little and scores as well, and is better in one",
    "hypervolume": "hypervolume: the area a front dominates, up to the reference",
    "expected_hypervolume": "expected hypervolume of the front of n trials",
    "attainment": "attainment: places that at least so many trials reach, corners of a staircase",
    "improvement": "pairs: shares of a front that the other covers; over trials, how often one improves on the other",
    "equal_cost": "best score at cost at most this, means over trials",
}


def parse_levels(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """`.25,.5,.75`, ascending."""
    try:
        found = sorted({float(part) for part in value.split(",")})
    except ValueError:
        found = []
    if not found or not all(0 < level <= 1 for level in found):
        raise click.BadParameter(f"expected shares above 0 and up to 1, such as .25,.5,.75, got '{value}'")
    return tuple(found)


def parse_reference(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """`0.5,100`: score, cost."""
    if value is None:
        return None
    try:
        score, cost = (float(part) for part in value.split(","))
    except ValueError:
        score = cost = math.nan
    if not math.isfinite(score) or not math.isfinite(cost):
        raise click.BadParameter(f"expected a score and a cost, such as 0.5,100, got '{value}'")
    return score, cost


@click.command()
@click.argument("source", metavar="FILE|DIR|URI")
@click.option("--score", metavar="COLUMN", help="Column of the scores; of MLflow runs, such as metrics.acc.")
@click.option("--cost", metavar="COLUMN", help="Column of the costs, less is better. [of a sweep: inference_flops]")
@click.option("--minimize", is_flag=True, help="A smaller score is better.")
@click.option("--by", metavar="COLUMN", help="Compare groups; of a sweep, policy, configuration or a searched field.")
@click.option("--trial", metavar="COLUMN", help="Which trial (or seed) a point belongs to. [default: each its own]")
@click.option("--reference", callback=parse_reference, metavar="SCORE,COST", help="Of hypervolumes. [the worst seen]")
@click.option("--budgets", callback=parse_budgets, metavar="1,2,5|1:100", help="Trials, for expected hypervolumes.")
@click.option(
    "--levels", callback=parse_levels, default=".25,.5,.75", show_default=True, metavar="SHARE,...",
    help="Of the trials, for attainment.",
)  # fmt: skip
@click.option("--confidence", type=OPEN, default=0.95, show_default=True, help="Of comparisons.")
@click.option("--filter", "query", metavar="TEXT", help="Only MLflow runs that answer this, in its language.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is resampled.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def front(source: str, score: str | None, cost: str | None, by: str | None, trial: str | None, **asked: Any) -> None:
    """Print the Pareto front of score against cost, what it is worth, and with --by which group's is better.

    The points are in a table (FILE.csv, .tsv or .parquet with --score and --cost), in a sweep's folder (DIR: its
    operating points, without the oracle), or in anybody's MLflow runs (URI with --score and --cost). A row without a
    score or a cost is never on the front; equal points are on it together.
    """
    from greenexp.cli.front_sources import read_points
    from greenexp.cli.front_tables import attained, fronts, over_trials, reference_of, volumes
    from greenexp.cli.remarks import as_bad_input, note

    table = read_points(source, score, cost, by, trial, minimize=asked["minimize"], query=asked["query"])
    for text in table.notes:
        note(text)
    claims: list[str] = []
    with as_bad_input():
        reference = reference_of(table, asked["reference"])
        _incomplete(table)
        found = {
            "front": fronts(table),
            "hypervolume": volumes(table, reference),
            "expected_hypervolume": over_trials(table, reference, asked["budgets"]),
            "attainment": attained(table, asked["levels"]),
        }
        if by is not None:
            from greenexp.cli.front_pairs import compare_fronts

            pairs, equal, claims = compare_fronts(table, reference, asked["confidence"], asked["seed"])
            found |= {"improvement": pairs, "equal_cost": equal}
    if asked["as_json"]:
        _as_json(found, claims, table, reference, seen=asked["reference"] is None)
    else:
        _print(found, claims, table, reference, seen=asked["reference"] is None)


def _incomplete(table: PointTable) -> None:
    from greenexp.cli.remarks import note

    for name, rows in table.groups.items():
        missing = len(rows) - len(table.complete(rows))
        if missing:
            of = f"{name}: " if table.by else ""
            note(f"{of}{missing} of {len(rows)} rows have no score or no cost, and are on no front")


def _as_json(
    found: dict[str, pd.DataFrame], claims: list[str], table: PointTable, reference: tuple[float, float], *, seen: bool
) -> None:
    from greenexp.cli.folders import print_json
    from greenexp.cli.text_table import records

    facts = {
        "score": table.score,
        "cost": table.cost,
        "by": table.by,
        "minimize": table.minimize,
        "reference": {"score": reference[1], "cost": reference[0], "worst_seen": seen},
    }
    print_json({**facts, **{name: records(frame) for name, frame in found.items()}, "claims": claims})


def _print(
    found: dict[str, pd.DataFrame], claims: list[str], table: PointTable, reference: tuple[float, float], *, seen: bool
) -> None:
    from greenexp.cli.text_table import print_table

    better = "smaller" if table.minimize else "larger"
    at = "the worst seen" if seen else "as given"
    click.echo(f"{table.score} ({better} is better) against {table.cost} (smaller is better)")
    click.echo(f"reference ({at}): {table.score} {reference[1]:.5g}, {table.cost} {reference[0]:.5g}")
    for name, frame in found.items():
        if frame.empty:
            continue
        click.echo(f"\n{HEADINGS[name]}")
        shown = _shown(name, frame, table)
        if len(shown) < len(frame):
            click.echo(f"({len(shown)} of {len(frame)} rows, each place once, evenly along each line; --json has all)")
        names = {"cost": table.cost, "score": table.score, "by": table.by}
        print_table(shown.drop(columns=[] if table.by else ["by"], errors="ignore").rename(columns=names))
    if claims:
        click.echo("\nwhat follows")
        for claim in claims:
            click.echo(f"- {claim}")


def _shown(name: str, frame: pd.DataFrame, table: PointTable) -> pd.DataFrame:
    """The rows for reading: of long lines some, of equal points one, of curves that coincide one."""
    import pandas as pd

    from greenexp.analysis.fronts.operating_points import evenly

    if name not in {"front", "attainment"}:
        return frame
    if name == "front":
        lines = ["by"]
        frame = frame.drop_duplicates(["by", "cost", "score"])
        if table.by is None:
            frame = frame.drop(columns="on_front_of_all")
    else:
        lines = ["by", "level"]
        frame = frame.drop_duplicates(["by", "attained_by", "cost", "score"], keep="last")
    most = MOST_SHOWN if name == "front" and table.by is None else MOST_SHOWN // 2 if name == "front" else 5
    return pd.concat([evenly(rows, most) for _, rows in frame.groupby(lines, sort=False)])
