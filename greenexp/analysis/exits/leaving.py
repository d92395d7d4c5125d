"""Exit profiles: the share of examples that leaves at each exit, and whose profile is worth looking at."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.exits.policies import leaves_early
from greenexp.analysis.exits.policy_curves import policy_curves
from greenexp.analysis.numbers.rounding import raised

TARGET = 2.0
"""Speed-up at which policies are ranked, if at least one reaches it."""


def ranked_policies(points: pd.DataFrame, *, minimize: bool, target: float = TARGET) -> tuple[float, pd.DataFrame]:
    """(speed-up, policies that reach it, best mean score first): policy, trials, score_mean, score_std.

    points: operating points of the trials to be averaged over. Where no policy reaches `target`, the largest speed-up
    that one of them reaches stands in; 1.0 and no rows without policies that leave early.
    """
    early = points[leaves_early(points["policy"])].dropna(subset=["score", "speed_up"])
    if early.empty:
        return 1.0, pd.DataFrame(columns=["policy", "trials", "score_mean", "score_std"])
    furthest = early.groupby(["policy", "trial"])["speed_up"].max().groupby("policy").min()
    reached = min(target, float(furthest.max()))
    at = policy_curves(early, "speed_up", np.array([reached]), minimize=minimize)
    order = at.sort_values("score_mean", ascending=minimize, kind="stable")
    return reached, order.drop(columns="price").reset_index(drop=True)


def profile_at(profiles: pd.DataFrame, speed_up: float) -> pd.DataFrame:
    """The rows of one operating point: the slowest with at least `speed_up`, or the fastest if none has.

    profiles: table `exit_profiles` of one trial and one policy; a row per exit comes back.
    """
    speeds = profiles["speed_up"]
    enough = speeds[raised(speeds.to_numpy(dtype=np.float64)) >= speed_up]
    chosen = enough.min() if len(enough) else speeds.max()
    at: pd.DataFrame = profiles[speeds == chosen].sort_values("exit", kind="stable")
    return at.drop_duplicates("exit").reset_index(drop=True)
