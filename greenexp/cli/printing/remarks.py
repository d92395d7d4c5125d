"""What is said beside results, on stderr."""

from __future__ import annotations

import click


def note(text: str) -> None:
    """What a reader must know to use the results."""
    click.echo(f"note: {text}", err=True)


def warn(text: str) -> None:
    """What makes a number unfit for use."""
    click.echo(f"warning: {text}", err=True)
