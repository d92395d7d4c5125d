"""Choosing among operating points: the cheapest that is good enough, and rows for reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from greenexp.analysis.fronts.operating_points import cheapest_reaching, evenly

POINTS = pd.DataFrame(
    {"score": [0.7, 0.9, 0.9, np.nan, 0.95], "inference_flops": [1.0, 3.0, 2.0, 0.5, 4.0], "name": list("abcde")}
)


@pytest.mark.parametrize(("score", "minimize", "name"), [(0.9, False, "c"), (0.91, False, "e"), (0.7, True, "a")])
def test_the_cheapest_point_that_reaches_a_score(score: float, minimize: bool, name: str) -> None:
    row = cheapest_reaching(POINTS, score, minimize=minimize)
    assert row is not None
    assert row["name"] == name


def test_a_score_nobody_reaches_has_no_cheapest_point() -> None:
    assert cheapest_reaching(POINTS, 0.99, minimize=False) is None
    assert cheapest_reaching(POINTS.iloc[:0], 0.1, minimize=False) is None


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 20, 21, 1000])
def test_rows_are_taken_evenly_with_both_ends(rows: int) -> None:
    frame = pd.DataFrame({"place": np.arange(rows)})
    taken = evenly(frame, 20)["place"].to_numpy()
    assert len(taken) == min(rows, 20)
    assert taken.tolist() == sorted(set(taken.tolist()))
    if rows:
        assert {taken[0], taken[-1]} == {0, rows - 1}
    if len(taken) > 1:
        steps = np.diff(taken)
        assert steps.max() - steps.min() <= 1
