"""What `greenexp front` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.group_tables import BY
from greenexp.analysis.fronts.operating_points import evenly
from greenexp.records.scores import Scores

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


def heading(findings: Findings, scores: Scores) -> str:
    """What is set against what, and where hypervolumes end."""
    better = "smaller" if scores.minimize else "larger"
    lines = [f"{scores.score} ({better} is better) against {scores.cost} (smaller is better)"]
    if not findings.refusal:
        row = findings["reference"].iloc[0]
        place = "the worst seen" if row["worst_seen"] else "as given"
        lines.append(f"reference ({place}): {scores.score} {row['score']:.5g}, {scores.cost} {row['cost']:.5g}")
    return "\n".join(lines)


def layouts(scores: Scores) -> dict[str, Layout]:
    """Table -> the columns and rows to show."""

    def named(layout: Layout) -> Layout:
        def shown(frame: pd.DataFrame) -> pd.DataFrame:
            table = layout(frame)
            # Without groups they say nothing; with groups, a label may be what the groups are values of.
            hidden = [BY, "on_front_of_all"] if scores.by is None else [scores.by]
            table = table.drop(columns=hidden, errors="ignore")
            names = {"cost": scores.cost, "score": scores.score, BY: scores.by}
            return table.rename(columns={old: new for old, new in names.items() if new is not None})

        return shown

    most = MOST_OF_ONE if scores.by is None else MOST_OF_MANY
    front = {"front": named(lambda frame: _front(frame, most))}
    single = {**front, "expected_hypervolume": named(_as_it_is), "attainment": named(_attainment)}
    if scores.by is None:
        return single
    pairs = {"improvement": named(_improvement), "equal_cost": named(_equal_cost)}
    return {**pairs, "hypervolume": named(_as_it_is), **front}


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
