"""What is said beside results, on stderr, and what the analysis refuses as a user's mistake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from greenexp.errors import InputError


@contextmanager
def as_bad_input() -> Iterator[None]:
    """What the analysis refuses is something the user gave."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


def note(text: str) -> None:
    """What a reader must know to use the results."""
    click.echo(f"note: {text}", err=True)


def warn(text: str) -> None:
    """What makes a number unfit for use."""
    click.echo(f"warning: {text}", err=True)
