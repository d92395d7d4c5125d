"""Findings on the terminal: notes on stderr, the verdict and short tables on stdout; or all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.remarks import note, warn
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.analysis.findings import Findings

    Layouts = Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]


def print_findings(findings: Findings, layouts: Layouts, heading: str = "") -> None:
    """Heading, verdict, then the tables that have a layout, in the order of the layouts.

    layouts: name of a table -> what is shown of it; every other table is in the JSON alone. Raises InputError with the
    refusal of findings that have one.
    """
    from greenexp.cli.text_table import print_table

    _say(findings)
    if heading:
        click.echo(heading)
    for sentence in findings.verdict:
        click.echo(sentence)
    for name, layout in layouts.items():
        frame = findings.tables.get(name)
        shown = frame if frame is None or frame.empty else layout(frame)
        if shown is None or shown.empty:
            continue
        click.echo(f"\n{findings.titles.get(name, name)}")
        print_table(shown)


def print_findings_json(
    findings: Findings, facts: Mapping[str, Any] | None = None, *, single_rows: tuple[str, ...] = ()
) -> None:
    """`facts` and what the scores are, then all tables as lists of rows, then verdict, notes and warnings.

    single_rows: tables of one row, which are given as one object
    """
    from greenexp.cli.text_table import records

    _say(findings)
    tables: dict[str, Any] = {name: records(frame) for name, frame in findings.tables.items()}
    tables |= {name: tables[name][0] for name in single_rows if name in tables}
    (subject,) = tables.pop("subject", [{}])
    texts = {"verdict": findings.verdict, "notes": findings.notes, "warnings": findings.warnings}
    data = {**(facts or {}), **subject, **tables, **{name: list(text) for name, text in texts.items()}}
    click.echo(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False, default=str))


def plot_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--plot`."""
    return click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Draw the main result to this file: .svg, .pdf or .png.",
    )(command)


def write_plot(findings: Findings, path: Path | None) -> None:
    """Write the first figure, and say where it lies. InputError where nothing can be drawn."""
    if path is None or findings.refusal:
        return
    from greenexp.figures.render import write_figure

    if not findings.figures:
        raise InputError(f"--plot {path}: there is nothing to draw")
    write_figure(findings.figures[0], path)
    click.echo(f"wrote {path}", err=True)


def _say(findings: Findings) -> None:
    """Notes and warnings; InputError for a refusal."""
    for text in findings.notes:
        note(text)
    for text in findings.warnings:
        warn(text)
    if findings.refusal:
        raise InputError(findings.refusal)
