"""Lines that begin with a label in a column of its own, as `budget        wall_s: 5m 00s`."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

LABEL = 13
"""Characters of the column."""
NARROWEST = 40


def say(label: str, text: str, *, err: bool = True) -> None:
    """Print it to stderr, or to stdout; on a terminal broken between words, so that the column stays free."""
    stream = sys.stderr if err else sys.stdout
    room = shutil.get_terminal_size().columns - LABEL - 1
    lines = wrapped(text, room) if stream.isatty() and room >= NARROWEST else [text]
    for number, line in enumerate(lines):
        click.echo(f"{'' if number else label:{LABEL}} {line}", err=err)


def wrapped(text: str, room: int) -> list[str]:
    """`text` in lines of at most `room` characters; what has no space in it, as a path, stays whole."""
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
