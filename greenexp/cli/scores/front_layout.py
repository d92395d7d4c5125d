"""What `greenexp front` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.group_tables import BY
from greenexp.analysis.fronts.operating_points import evenly

Layout = Callable[[pd.DataFrame], pd.DataFrame]
MOST_OF_ONE, MOST_OF_MANY, MOST_CORNERS, MOST_PAIRS = 20, 6, 5, 3
"""Points shown of the only front, and of each of several; corners of a curve; pairs compared at equal cost."""
IMPROVEMENT = (
    "a",
    "b",
    "covered_by_a",
    "covered_by_b",
    "improves_a",
    "improves_b",
    "difference",
    "lower",
    "upper",
    "p_holm",
)


def heading(findings: Findings) -> str:
    """What is set against what, and where hypervolumes end."""
    if findings.refusal:
        return ""
    subject, row = findings["subject"].iloc[0], findings["reference"].iloc[0]
    better = "smaller" if subject["minimize"] else "larger"
    place = "the worst seen" if row["worst_seen"] else "as given"
    return (
        f"{subject['score']} ({better} is better) against {subject['cost']} (smaller is better)\n"
        f"reference ({place}): {subject['score']} {row['score']:.5g}, {subject['cost']} {row['cost']:.5g}"
    )


def layouts(findings: Findings) -> dict[str, Layout]:
    """Table -> the columns and rows to show."""
    if findings.refusal:
        return {}
    subject = findings["subject"].iloc[0]
    by = subject["by"]

    def named(layout: Layout) -> Layout:
        def shown(frame: pd.DataFrame) -> pd.DataFrame:
            table = layout(frame)
            # Without groups they say nothing; with groups, a label may be what the groups are values of.
            table = table.drop(columns=[BY, "on_front_of_all"] if by is None else [by], errors="ignore")
            names = {"cost": subject["cost"], "score": subject["score"], BY: by}
            return table.rename(columns={old: new for old, new in names.items() if new is not None})

        return shown

    line = {"line_to_line": named(_as_it_is)}
    front = {**line, "front": named(lambda frame: _front(frame, MOST_OF_ONE if by is None else MOST_OF_MANY))}
    if by is None:
        return {**front, "expected_hypervolume": named(_as_it_is), "attainment": named(_attainment)}
    pairs = {"improvement": named(_improvement), "equal_cost": named(_equal_cost)}
    return {**line, **pairs, "hypervolume": named(_as_it_is), **front}


def _as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def _front(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """Each place once; of a long front, points evenly along it."""
    places = frame.drop_duplicates([BY, "cost", "score"])
    return pd.concat([evenly(rows, most) for _, rows in places.groupby(BY, sort=False)])


def _attainment(frame: pd.DataFrame) -> pd.DataFrame:
    """Of curves that coincide one, of each the corners evenly along it."""
    curves = frame.drop_duplicates([BY, "attained_by", "cost", "score"], keep="last")
    return pd.concat([evenly(rows, MOST_CORNERS) for _, rows in curves.groupby([BY, "level"], sort=False)])


def _improvement(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in IMPROVEMENT if name in frame]]


def _equal_cost(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the rows in which the two do not differ; of many pairs, in the JSON alone."""
    if len(frame[["a", "b"]].drop_duplicates()) > MOST_PAIRS:
        return frame.head(0)
    return frame[frame["score_a"].ne(frame["score_b"])].drop(columns="p")
