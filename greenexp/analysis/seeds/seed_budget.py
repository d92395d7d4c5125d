"""Configurations or seeds? What a seed mean is worth, and how to spend a number of trials.

The two-level normal model: configuration i has true score theta_i ~ N(mu, tau^2), each of its trials theta_i + e with
e ~ N(0, sigma^2), the seed noise. Of n configurations with s seeds each, the one with the best mean is chosen. With
v = tau^2 + sigma^2 / s, the variance of a seed mean, and e_n the expected greatest of n standard normals,

    expected mean shown   mu + e_n sqrt(v)               what is seen, and often reported
    expected true score   mu + e_n tau^2 / sqrt(v)       what the chosen configuration is worth
    optimism              e_n (sigma^2 / s) / sqrt(v)    the difference: the winner's curse

since E[theta | mean] = mu + rho (mean - mu), with the reliability rho = tau^2 / v (Searle, Casella & McCulloch 1992,
chapter 7, best prediction). e_n = integral_0^inf [1 - Phi(z)^n - (1 - Phi(z))^n] dz. All are exact under the model.
Smaller is better: the signs of e_n turn.

Assumptions: the model, and tau, sigma known: estimates of them (`analysis.seeds.variance`) carry over their own
uncertainty. A search space with a cliff, where some configurations collapse, is not
normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit
from greenexp.records.arrays import Floats

PLANS = (
    "seeds", "configurations", "trials", "reliability", "expected_true", "expected_shown", "optimism", "standard_error",
)  # fmt: skip
_FAR = 40.0
"""Beyond this no double tells Phi(z) from 1; n would have to exceed 1e300 for it to matter."""


def expected_maximum(n: ArrayLike) -> Floats:
    """Expected greatest of n independent standard normals; n: whole numbers of at least 1, any shape. Error <= 1e-12.

    Gauss-Legendre on pieces of [0, 40]. Raises ValueError for anything else.
    """
    sizes = np.asarray(n, dtype=np.float64)
    if not ((sizes >= 1) & (sizes == np.floor(sizes)) & np.isfinite(sizes)).all():
        raise ValueError("the number of draws must be a whole number of at least 1")
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.concatenate((np.linspace(0, 10, 21), [12.0, 16.0, 24.0, _FAR]))
    half = np.diff(edges) / 2
    z = (edges[:-1] + half)[:, None] + half[:, None] * nodes
    area = half[:, None] * weights
    flat = sizes.reshape(-1, 1, 1)
    missing = -np.expm1(flat * special.log_ndtr(z)) - np.exp(flat * special.log_ndtr(-z))
    heights = (missing * area).sum(axis=(1, 2)).reshape(sizes.shape)
    return np.asarray(np.where(sizes == 1, 0.0, heights), dtype=np.float64)


def seed_plans(
    trials: int,
    tau: float,
    sigma: float,
    mean: float = 0.0,
    seeds: Sequence[int] | None = None,
    minimize: bool = False,
) -> pd.DataFrame:
    """A budget of trials spent on s seeds for each of floor(trials / s) configurations; see the module.

    tau, sigma: standard deviations of configurations and of one seed, in the score's unit; seeds: the s to look at
    (None: each one that changes the number of configurations). A row per s, PLANS: trials, those used; reliability, of
    a seed mean; expected_true, of the chosen configuration (the best plan has the best of these); expected_shown, its
    seed mean; optimism, how much better the mean looks; standard_error, of a seed mean, sigma / sqrt(s).
    Every trial costs the same, and all seeds are run: racing does better. Raises ValueError for anything else.
    """
    if int(trials) != trials or trials < 1 or not (tau >= 0 and sigma >= 0 and math.isfinite(tau + sigma + mean)):
        raise ValueError("a plan needs at least one trial, and finite standard deviations of at least 0")
    # The largest s for each number of configurations: fewer would leave trials over for nothing.
    each = sorted({trials // (trials // s) for s in range(1, trials + 1)}) if seeds is None else list(seeds)
    if not each or any(int(s) != s or not 1 <= s <= trials for s in each):
        raise ValueError(f"seeds must be whole numbers from 1 to the number of trials, {trials}")
    number = np.asarray(each, dtype=np.float64)
    count = np.floor(trials / number)
    noise = sigma**2 / number
    total = np.sqrt(tau**2 + noise)
    sign = -1.0 if minimize else 1.0
    height = expected_maximum(count)
    reliability = np.divide(tau**2, total**2, out=np.ones_like(total), where=total > 0)
    frame = pd.DataFrame({"seeds": number.astype(int), "configurations": count.astype(int)})
    return frame.assign(
        trials=frame["seeds"] * frame["configurations"],
        reliability=reliability,
        expected_true=mean + sign * height * reliability * total,
        expected_shown=mean + sign * height * total,
        optimism=height * (1 - reliability) * total,
        standard_error=np.sqrt(noise),
    )[list(PLANS)]


def shrunken_means(
    trials: pd.DataFrame,
    split: VarianceSplit,
    minimize: bool = False,
    score: str = "score",
    variance_of_a_mean: float | None = None,
) -> pd.DataFrame:
    """What each configuration's mean is worth after the choice: best first.

    A row per configuration: configuration, trials, mean, standard_error (of the mean, by the pooled seed variance),
    expected_true = mu + rho (mean - mu), its posterior mean under the model with `split`'s variances, and its
    standard_deviation, tau sqrt(1 - rho). With different numbers of seeds each mean has its own rho.

    Parameters
    ----------
    trials : frame with the columns `configuration` and `score`, required
        The trials that were split.
    split : VarianceSplit, required
        Their split.
    minimize : bool, default False
        Whether a smaller score is better.
    score : str, default "score"
        The column of the scores.
    variance_of_a_mean : float, default None
        The variance of a configuration's mean over its seeds, if it is not that of `split`: where all configurations
        share their seeds, what a seed does to all of them alike moves no mean against another
        (`analysis.seeds.seed_noise`).

    """
    groups = trials.groupby(CONFIGURATION, sort=False)[score]
    frame = pd.DataFrame({"trials": groups.size(), "mean": groups.mean()}).reset_index()
    tau2 = split.variance(CONFIGURATION)
    of_a_mean = split.of_a_mean if variance_of_a_mean is None else variance_of_a_mean
    noise = of_a_mean * split.seeds / frame["trials"]
    total = tau2 + noise
    rho = (tau2 / total).where(total > 0, 1.0)
    frame = frame.assign(
        standard_error=np.sqrt(noise),
        expected_true=split.mean + rho * (frame["mean"] - split.mean),
        standard_deviation=np.sqrt(tau2 * (1 - rho)),
    )
    return frame.sort_values("mean", ascending=minimize, kind="stable", ignore_index=True)
