"""The command `greenexp simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.printing.remarks import as_bad_input
from greenexp.cli.scores.budgets import parse_budgets
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.analysis.stopping.simulate import Simulation
    from greenexp.analysis.stopping.simulate_curves import RecordedCurves

DEFAULT_PARTS = 9
DEFAULT_TRIALS = 27
SHOWN = {
    "scheduler": "scheduler", "expected_best": "expected best", "error": "+-", "cost": "cost",
    "share_of_full": "of full cost", "finished": "full runs", "equal_trials": "as good as", "saved": "saved",
    "saved_low": "from", "saved_high": "to",
}  # fmt: skip


@click.command()
@click.argument("source", metavar="FILE|DIR")
@click.option("--score", metavar="COLUMN", help="Of a file: the score of a run at a step. [default: score]")
@click.option("--run", metavar="COLUMN", help="Of a file: which run a row belongs to. [default: run]")
@click.option("--resource", metavar="COLUMN", help="Of a file: how far the run had come. [default: step]")
@click.option("--cost", metavar="COLUMN|AXIS", help="What the run had used by then. [default: the resource; epochs]")
@click.option("--configuration", metavar="COLUMN", help="Of a file: runs with one value are seeds of a configuration.")
@click.option("--schedulers", metavar="NAME,...", help="[default: fifo,sha,asha,hyperband; with seeds seed_racing]")
@click.option("--trials", callback=parse_budgets, metavar="9,27,81", help="Units a search begins. [default: 27]")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Units trained at a time.")
@click.option("--parts", type=click.IntRange(1), help="Equal parts of a run's own schedule. [default: 9; the epochs]")
@click.option("--grace", type=click.IntRange(1), help="Parts before the first rung. [default: the scheduler's]")
@click.option("--reduction-factor", type=float, help="One in so many goes on at a rung. [default: the scheduler's]")
@click.option("--as-recorded", is_flag=True, help="Judge by the score at a rung, not by the best so far.")
@click.option("--without-replacement", is_flag=True, help="Draw every unit at most once in a search.")
@click.option("--minimize", is_flag=True, help="Of a file: a smaller score is better.")
@click.option("--repeats", type=click.IntRange(2), default=500, show_default=True, help="Searches behind each number.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def simulate(source: str, trials: tuple[float, ...] | None, **asked: Any) -> None:
    """Prints what each scheduler would have found and cost, beside training everything.

    Full curves are in a table (FILE.csv, .tsv or .parquet) with a row per run and evaluation, or in the folder of a
    sweep whose trials all ran to their end (DIR). Searches are drawn from them and run under the schedulers that run
    sweeps. One table for each of --trials, and the cost at which full training comes to the same expected best.
    """
    import numpy as np

    from greenexp.analysis.stopping.simulate import simulate as simulated
    from greenexp.analysis.stopping.simulate_notes import simulation_notes

    with as_bad_input():
        curves = _curves(source, asked)
        chosen = _settings(curves, asked)
        begun = _whole(trials) if trials else (min(DEFAULT_TRIALS, len(curves.units)),)
        found = simulated(
            curves,
            chosen,
            begun,
            rng=np.random.default_rng(asked["seed"]),
            workers=asked["workers"],
            repeats=asked["repeats"],
            replace=not asked["without_replacement"],
        )
    notes = simulation_notes(found, chosen)
    if asked["as_json"]:
        from greenexp.cli.printing.text_table import print_json, records

        tables = {"searches": records(found.searches), "incumbent": records(found.incumbent)}
        print_json({"source": source, "schedulers": chosen, **tables, "assumptions": notes})
        return
    for number in begun:
        _print(found, number)
    click.echo("assumed")
    for text in notes:
        click.echo(f"- {text}")


def _curves(source: str, asked: dict[str, Any]) -> RecordedCurves:
    from greenexp.analysis.stopping.simulate_curves import recorded_curves, sweep_points

    best_so_far = not asked["as_recorded"]
    path = Path(source)
    if path.is_file():
        points = _points(path, asked)
        return recorded_curves(
            points, asked["parts"] or DEFAULT_PARTS, best_so_far=best_so_far, minimize=asked["minimize"]
        )
    columns = [f"--{name}" for name in ("score", "run", "resource", "configuration", "minimize") if asked[name]]
    if columns:
        raise InputError(f"{', '.join(columns)}: only for a file; a sweep's folder says this itself")
    from greenexp.analysis.sweeps.metric import metric_of
    from greenexp.sources.tables import read_tables

    if not path.is_dir():
        raise InputError(f"there is no file or folder {source}")
    tables = read_tables(source).tables
    points = sweep_points(tables, asked["cost"] or "epochs")
    parts = asked["parts"] or int(tables.trials["max_epochs"].max())
    return recorded_curves(points, parts, best_so_far=best_so_far, minimize=metric_of(tables).minimize)


def _points(path: Path, asked: dict[str, Any]) -> pd.DataFrame:
    """The columns of a file under the names `recorded_curves` knows."""
    import pandas as pd

    from greenexp.sources.columns import NOT_SET, read_columns
    from greenexp.sources.files import read_file

    numbers = {"resource": asked["resource"] or "step", "score": asked["score"] or "score"}
    words = {"run": asked["run"] or "run"}
    if asked["cost"]:
        numbers["cost"] = asked["cost"]
    if asked["configuration"]:
        words["configuration"] = asked["configuration"]
    found = read_columns(read_file(path), tuple(dict.fromkeys(numbers.values())), tuple(dict.fromkeys(words.values())))
    for name in words.values():
        if NOT_SET in found.words[name]:
            raise InputError(f"{found.place(found.words[name].index(NOT_SET))}: column '{name}' is empty here")
    return pd.DataFrame(
        {name: found.numbers[column] for name, column in numbers.items()}
        | {name: found.words[column] for name, column in words.items()}
    )


def _settings(curves: RecordedCurves, asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Scheduler -> its section of a sweep file."""
    from greenexp.schedulers import SCHEDULERS

    names = ["fifo", "sha", "asha", "hyperband", *(["seed_racing"] if curves.seeds > 1 else [])]
    if asked["schedulers"]:
        names = list(dict.fromkeys(part.strip() for part in asked["schedulers"].split(",") if part.strip()))
    chosen: dict[str, dict[str, Any]] = {}
    for name in names:
        fields = SCHEDULERS[name].__dataclass_fields__
        given = {"reduction_factor": asked["reduction_factor"], "grace_period": asked["grace"]}
        chosen[name] = {"name": name, **{key: value for key, value in given.items() if value and key in fields}}
    return chosen


def _whole(trials: tuple[float, ...]) -> tuple[int, ...]:
    if any(number != int(number) for number in trials):
        raise InputError("--trials: expected whole numbers, such as 9,27,81")
    return tuple(int(number) for number in trials)


def _print(found: Simulation, trials: int) -> None:
    from greenexp.cli.printing.text_table import print_table

    searches = found.searches[found.searches["trials"] == trials]
    click.echo(f"searches that begin {trials} trials")
    print_table(searches[list(SHOWN)].rename(columns=SHOWN))
    for name, reason in zip(searches["scheduler"], searches["no_saving"], strict=True):
        if reason:
            click.echo(f"no cost of equal result for {name}: {reason}")
    lines = found.incumbent[found.incumbent["trials"] == trials]
    wide = lines.pivot_table(index="budget", columns="scheduler", values="expected_best", sort=False)
    click.echo("\nbest score reported by the time so much was spent")
    print_table(wide[list(searches["scheduler"])].reset_index().rename(columns={"budget": "spent"}))
    click.echo()
