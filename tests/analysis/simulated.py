"""Made curves, and the table of simulated searches over them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.stopping.simulate import simulate
from greenexp.analysis.stopping.simulate_curves import RecordedCurves


def made(units=40, parts=9, seed=0, minimize=False) -> RecordedCurves:
    """Best-so-far curves that cross, with costs per part that differ from unit to unit."""
    rng = np.random.default_rng(seed)
    height, speed = rng.uniform(0.3, 0.95, (units, 1)), rng.uniform(0.1, 2, (units, 1))
    scores = height * (1 - np.exp(-speed * np.arange(1, parts + 1))) + rng.normal(0, 0.03, (units, parts))
    costs = np.arange(1, parts + 1) * rng.uniform(1, 4, (units, 1))
    best = np.maximum.accumulate(scores, axis=1)
    return RecordedCurves(tuple(f"u{i}" for i in range(units)), -best if minimize else best, costs, minimize)


def rows(curves, schedulers, trials, repeats=300, seed=1, **more) -> pd.DataFrame:
    found = simulate(curves, schedulers, trials, rng=np.random.default_rng(seed), repeats=repeats, **more)
    return found.searches.set_index(["scheduler", "trials"])
