"""Findings on the terminal: notes on stderr, the verdict and short tables on stdout; or all of it as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenexp.cli.printing.remarks import note, warn
from greenexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from greenexp.analysis.findings import Findings

    Layouts = Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]


def print_all(
    findings: Findings,
    layouts: Layouts,
    *,
    as_json: bool,
    plot: Path | None = None,
    heading: str = "",
    facts: Mapping[str, Any] | None = None,
    single_rows: tuple[str, ...] = (),
) -> None:
    """The findings, as JSON or for people, and their main figure in a file if one is named.

    heading, layouts: as of `print_findings`; facts, single_rows: as of `print_findings_json`. Raises InputError with
    the refusal of findings that have one, and for a file that cannot be written.
    """
    if as_json:
        print_findings_json(findings, facts, single_rows=single_rows)
    else:
        print_findings(findings, layouts, heading)
    if plot is None:
        return
    if not findings.figures:
        warn(f"nothing is drawn to {plot}: there is nothing to draw")
        return
    findings.figures[0].save(plot)
    click.echo(f"drawn: {plot}", err=True)


def print_findings(findings: Findings, layouts: Layouts, heading: str = "") -> None:
    """Heading, verdict, then the tables that have a layout, in the order of the layouts.

    layouts: name of a table -> what is shown of it; every other table is in the JSON alone. Raises InputError with the
    refusal of findings that have one.
    """
    from greenexp.cli.printing.text_table import print_table

    print_remarks(findings)
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
    from greenexp.cli.printing.text_table import print_json, records

    print_remarks(findings)
    tables: dict[str, Any] = {name: records(frame) for name, frame in findings.tables.items()}
    tables |= {name: tables[name][0] for name in single_rows if name in tables}
    (subject,) = tables.pop("subject", [{}])
    texts = {"verdict": findings.verdict, "notes": findings.notes, "warnings": findings.warnings}
    print_json({**(facts or {}), **subject, **tables, **{name: list(text) for name, text in texts.items()}})


def print_remarks(findings: Findings) -> None:
    """Notes and warnings, on stderr. Raises InputError with the refusal of findings that have one."""
    for text in findings.notes:
        note(text)
    for text in findings.warnings:
        warn(text)
    if findings.refusal:
        raise InputError(findings.refusal)
