"""What is said beside results, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from greenexp.api.sweeps import Sweep


def note(text: str) -> None:
    """What a reader must know to use the results."""
    click.echo(f"note: {text}", err=True)


def warn(text: str) -> None:
    """What makes a number unfit for use."""
    click.echo(f"warning: {text}", err=True)


def warn_of_tables(sweep: Sweep) -> None:
    """What the tables of a recorded sweep lack although it is on record."""
    for warning in sweep.tables.remarks.warnings:
        warn(f"{sweep}: {warning}")
