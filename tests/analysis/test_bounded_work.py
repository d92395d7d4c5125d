"""Statistics of many scores and of many groups: the work grows with their number, and not with that of their pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.analysis.comparing import power
from greenexp.analysis.comparing.power import smallest_difference
from greenexp.analysis.comparing.score_tests import score_difference

SCORES = st.lists(st.integers(-5, 5), min_size=2, max_size=12)


@given(a=SCORES, b=SCORES, minimize=st.booleans())
def test_superiority_is_the_share_of_pairs(a: list[int], b: list[int], minimize: bool) -> None:
    ours, theirs = np.array(a) / 10, np.array(b) / 10
    sign = -1 if minimize else 1
    above = sign * np.round(ours[:, None] - theirs[None, :], 6)
    expected = (above > 0).mean() + (above == 0).mean() / 2
    assert score_difference(ours, theirs, minimize=minimize).superiority == pytest.approx(expected)


def test_scores_that_differ_by_rounding_are_ties() -> None:
    assert score_difference([0.1 + 0.2, 0.3], [0.3, 0.3]).superiority == 0.5


def test_many_scores_need_no_matrix_of_pairs() -> None:
    """A matrix of 60,000 x 60,000 numbers would take 29 GB."""
    scores = np.random.default_rng(0).normal(size=60_000)
    assert score_difference(scores, scores).superiority == 0.5


def test_groups_of_one_design_share_the_search_for_the_smallest_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    own = power._power
    monkeypatch.setattr(power, "_power", lambda *given: asked.append(given) or own(*given))
    power._smallest_shift.cache_clear()
    first = smallest_difference(5, 0.25)
    once = len(asked)
    assert [smallest_difference(5, sd) / sd for sd in (0.5, 1.0, 7.0)] == pytest.approx([first / 0.25] * 3)
    assert len(asked) == once > 0
