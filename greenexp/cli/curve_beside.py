"""Columns beside a tuning curve: what the winner on dev is worth on test, and what the search had as it went."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from greenexp.analysis.curves.tuning_curve import Estimator
from greenexp.analysis.curves.winner import expected_test_of_winner
from greenexp.cli.remarks import note
from greenexp.cli.score_tables import Group, ScoreTable
from greenexp.errors import InputError

Floats = NDArray[np.float64]


def test_of_winner(name: str, group: Group, n: NDArray[np.int64], table: ScoreTable, estimator: str | float) -> Floats:
    """Expected test score of the best on dev of n trials that have both scores, NaN where there are fewer.

    The expectation is without replacement unless the curve beside it is with.
    """
    tests = np.full(group.scores.size, np.nan) if group.tests is None else group.tests
    scored = ~np.isnan(group.scores)
    both = scored & np.isfinite(tests)
    of = f"{name}: " if table.by is not None else ""
    if not both.any():
        raise InputError(f"--test: {of}no trial has both a score and a test score")
    if not both.all():
        lacking = scored & ~both
        if lacking.any():
            means = [float(group.scores[which].mean()) for which in (both, lacking)]
            note(
                f"{of}{int(lacking.sum())} of {int(scored.sum())} trials with a score have no test score; the test "
                f"column is about the others, and holds if it is chance which these are (mean {table.score}: "
                f"{means[0]:.4g} with a test score, {means[1]:.4g} without)"
            )
    found = np.full(n.size, np.nan)
    known = n <= int(both.sum())
    kind: Estimator = "biased" if estimator == "biased" else "unbiased"
    found[known] = expected_test_of_winner(group.scores[both], tests[both], n[known], kind, table.minimize)
    return found


def incumbent_of(scores: Floats, minimize: bool) -> Floats:
    """[N]: the best of the first n scores."""
    found: Floats = (np.fmin if minimize else np.fmax).accumulate(scores)
    return found


def incumbent_at(scores: Floats, costs: Floats, budgets: Floats, minimize: bool) -> Floats:
    """The best score of the trials that had ended by the time so much was spent; NaN before the first."""
    best = np.concatenate(([np.nan], incumbent_of(scores, minimize)))
    spent = np.cumsum(costs)
    found: Floats = best[np.searchsorted(spent, budgets * (1 + 1e-12), side="right")]
    return found
