"""Looking once: what it gives to stop all but the best share of the units after each part of a schedule, exactly.

t units are begun, drawn with replacement; after part k the floor(t / eta) best by their score so far go on to their
end. The distribution of the best final score has a closed form (`early_stopping_cdf`), so no search is simulated, and
the table says when a single look is best. The cost takes the mean cost of all units for that of those that go on.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.stopping.early_stopping import early_stopping_cdf
from greenexp.analysis.stopping.simulate_curves import RecordedCurves

ETA = 3.0
"""The usual reduction factor."""
MOST_UNITS = 2_000
"""Recorded units beyond which this is left out: its time grows with their square."""


def one_look(curves: RecordedCurves, trials: tuple[int, ...], reduction_factor: float | None = None) -> pd.DataFrame:
    """A row per number of units begun and part: trials, part, going_on, expected_best, share_of_full.

    Empty where the curves are not best scores so far, for which alone the closed form holds, and for very many units.
    """
    signed = -curves.scores if curves.minimize else curves.scores
    columns = ["trials", "part", "going_on", "expected_best", "share_of_full"]
    if len(curves.units) > MOST_UNITS or (np.diff(signed, axis=1) < 0).any():
        return pd.DataFrame(columns=columns)
    rows = []
    for begun in trials:
        going_on = max(1, int(begun // (reduction_factor or ETA)))
        for part in range(1, curves.scores.shape[1]):
            partial = curves.scores[:, part - 1]
            best = early_stopping_cdf(partial, curves.final, begun, going_on, curves.minimize)
            expected = float(np.dot(best["score"].to_numpy(), best["probability"].to_numpy()))
            spent = float(curves.costs[:, part - 1].mean() / curves.full_cost.mean())
            share = spent + (1 - spent) * going_on / begun
            rows.append((begun, part, going_on, expected, share))
    return pd.DataFrame(rows, columns=columns)
