"""What is said beside a table of results, on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from greenexp.errors import InputError

if TYPE_CHECKING:
    from greenexp.cli.score_tables import ScoreTable


@contextmanager
def as_bad_input() -> Iterator[None]:
    """What the analysis refuses is something the user gave."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


def note(text: str) -> None:
    """A remark."""
    click.echo(f"note: {text}", err=True)


def warn(text: str) -> None:
    """A remark that bears on whether a number can be used at all."""
    click.echo(f"warning: {text}", err=True)


def left_out(table: ScoreTable, costs: bool) -> None:
    """Say how many trials have no score, and what that makes of the curve."""
    for name, group in table.groups.items():
        if group.crashed:
            of = f"{name}: " if table.by is not None else ""
            what = (
                "cost what they cost and score nothing"
                if costs
                else "are left out: the curve is about trials that do not fail, and a budget that pays for failures "
                "too buys less than it shows"
            )
            note(f"{of}{group.crashed} of {group.scores.size} trials have no score; they {what}")


def affordable(name: str, budgets: tuple[float, ...], most: float, what: str) -> tuple[float, ...]:
    """The budgets up to `most`; says which are beyond."""
    kept = tuple(budget for budget in budgets if budget <= most * (1 + 1e-9))
    beyond = [f"{budget:g}" for budget in budgets if budget not in kept]
    if beyond:
        listed = ", ".join(beyond[:3]) + (f" and {len(beyond) - 3} more" if len(beyond) > 3 else "")
        note(f"{name} {what} {most:g}, and nothing is known beyond: left out {listed}")
    return kept
