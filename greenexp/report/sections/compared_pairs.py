"""The study that compares groups pair by pair, set for a report: searches of a sweep, or other people's runs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.figures import difference_figure
from greenexp.report.section import Plate, Section
from greenexp.report.table import Column, Table

NAME, TITLE = "pairs", "Is one group better than another?"
PRESUMED = (
    "Presumed, as for the curves: within a group, runs are independent draws of one random search, and groups are "
    "independent. Runs are counted, whatever they cost."
)


def compared_section(findings: Findings, score: str, kind: str) -> Section:
    """The findings of `comparison_study` over numbers of runs: verdict, difference of the two best groups, pairs.

    score: the column's name; kind: how its values are written
    """
    if findings.refusal:
        said = f"There is nothing to compare: {findings.refusal}."
        return Section(NAME, TITLE, (said,), assumptions=("A comparison needs two groups with a score each.",))
    return Section(
        name=NAME,
        title=TITLE,
        headline=findings.verdict,
        plates=difference_plates(findings, score, kind),
        tables=(pairs_table(findings, kind),),
        assumptions=(PRESUMED, *(_sentence(text) for text in (*findings.warnings, *findings.notes))),
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def difference_plates(findings: Findings, score: str, kind: str, counted: str = "Runs") -> tuple[Plate, ...]:
    """Of the two groups with the best scores, unless nothing is bounded. counted: what budgets are numbers of."""
    figure = difference_figure(findings, f"the median best {score}")
    if figure is None:
        return ()
    a, b = (str(findings["difference"][side].iloc[0]) for side in ("a", "b"))
    confidences = _confidences(figure.table)
    bounds = [
        Column(f"{side}_{confidence}", f"{confidence} %, {word}", kind, missing="open")
        for confidence in confidences
        for side, word in (("lower", "from"), ("upper", "to"))
    ]
    columns = (
        Column("budget", f"{counted} of each", "count"),
        Column("curve_a", f"Median best, {a}", kind),
        Column("curve_b", f"Median best, {b}", kind),
        Column("difference", "Difference", kind),
        *bounds,
    )
    note = "Each band holds at all n together. open: the band does not end there."
    return (Plate(figure, Table(figure.name, figure.title, figure.table, columns, note)),)


def pairs_table(findings: Findings, kind: str, counted: str = "runs") -> Table:
    """A row per pair and tested number of runs. counted: what budgets are numbers of."""
    pairs = findings["pairs"].replace([-np.inf, np.inf], np.nan)
    confidences = _confidences(pairs)
    widest = confidences[-1]
    columns = [
        Column("a", "A"),
        Column("b", "B"),
        Column("budget", "n", "count"),
        Column("difference", "A - B, median best", kind),
        Column(f"lower_{widest}", f"{widest} %, from", kind, missing="open"),
        Column(f"upper_{widest}", f"{widest} %, to", kind, missing="open"),
        *(Column(f"apart_{confidence}", f"Better ({confidence} %)") for confidence in confidences[::-1]),
        Column("probability_better", "P(A better)", "score"),
        Column("p", "p", "number"),
        Column("p_holm", "p, Holm", "number"),
    ]
    note = (
        f"P: probability that the best of n {counted} of A is better than that of n {counted} of B, a tie half. Bands "
        "of a pair hold at all n together; p after Holm's correction over all rows."
    )
    return Table("pairs", "Pairs of groups", pairs, tuple(columns), note)


def _confidences(frame: pd.DataFrame) -> list[str]:
    """Of the bands in a table, as in the names of its columns."""
    return [str(name).removeprefix("lower_") for name in frame if str(name).startswith("lower_")]
