"""The sweep's exit policies against a named baseline, line to line: ELUE's score with its seeds."""

from __future__ import annotations

from greenexp.analysis.findings import Findings
from greenexp.figures.elue import elue_figure
from greenexp.report.section import Plate, Section
from greenexp.report.table import Column, Table

NAME, TITLE = "line-to-line", "Line to line against a baseline"
_POINTS = (
    Column("line", "Line", "name"),
    Column("seed", "Trial", "name"),
    Column("mflops", "MFLOPs per example", "number"),
    Column("points", "Score (points)", "number"),
    Column("baseline", "Baseline there", "number"),
    Column("difference", "Difference", "number"),
)
_SCORES = (
    Column("line", "Line", "name"),
    Column("seeds", "Seeds", "count"),
    Column("points", "Points", "count"),
    Column("score", "ELUE score", "number"),
    Column("lower", "Lower", "number", missing="not known"),
    Column("upper", "Upper", "number", missing="not known"),
    Column("interval_over", "Interval over", "name"),
    Column("clamped", "Outside the range", "count"),
)


def section(findings: Findings | None) -> Section:
    """Scores, their figure and points; findings: as of `analysis.elue.study.elue_study`, None without a baseline."""
    if findings is None:
        return Section(
            NAME,
            TITLE,
            ("No baseline is named: `greenexp report DIR --baseline SOURCE` sets the exit policies against one.",),
        )
    figure = elue_figure(findings)
    drawn = Table(
        "line-to-line-points", "Operating points and the baseline's line at their cost", figure.table, _POINTS
    )
    scores = Table(
        "line-to-line", "ELUE score: mean height over the baseline at equal FLOPs", findings["scores"], _SCORES
    )
    return Section(
        NAME, TITLE, findings.verdict, findings.warnings, (Plate(figure, drawn),), (scores,),
        assumptions=tuple(f"{note[:1].upper()}{note[1:]}." for note in findings.notes),
    )  # fmt: skip
