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
uncertainty, which `reliability_of` gives. A search space with a cliff, where some configurations collapse, is not
normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.curves.winner import expected_test_of_winner
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
    found = (missing * area).sum(axis=(1, 2)).reshape(sizes.shape)
    return np.asarray(np.where(sizes == 1, 0.0, found), dtype=np.float64)


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


@dataclass(frozen=True, slots=True)
class Reliability:
    """rho = tau^2 / (tau^2 + variance of a seed mean): what share of a lead, on average, is real; and its interval.

    lower, upper: NaN where the design has no F-interval
    """

    value: float
    lower: float
    upper: float


def reliability_of(split: VarianceSplit) -> Reliability:
    """The reliability of the configurations' means of a split; NaN for one configuration.

    With one seed column rho = 1 - 1 / (E[MS_c] / E[MS_s]), so the F-interval of the ratio of mean squares carries over
    exactly (equal numbers of seeds; unequal: nearly). With two, only the estimate.
    """
    if split.configurations < 2:
        return Reliability(math.nan, math.nan, math.nan)
    tau2, noise = split.variance(CONFIGURATION), split.of_a_mean
    value = tau2 / (tau2 + noise) if tau2 + noise > 0 else math.nan
    # share = tau^2 / (tau^2 + s noise), so tau^2 / noise = s share / (1 - share).
    bounds = [1.0 if share == 1 else split.seeds * share / (1 - share + split.seeds * share) for share in split.share]
    return Reliability(value, *bounds)


def shrunken_means(
    trials: pd.DataFrame, split: VarianceSplit, minimize: bool = False, score: str = "score"
) -> pd.DataFrame:
    """What each configuration's mean is worth after the choice: best first.

    A row per configuration: configuration, trials, mean, standard_error (of the mean, by the pooled seed variance),
    expected_true = mu + rho (mean - mu), its posterior mean under the model with `split`'s variances, and its
    standard_deviation, tau sqrt(1 - rho). With different numbers of seeds each mean has its own rho.
    """
    groups = trials.groupby(CONFIGURATION, sort=False)[score]
    frame = pd.DataFrame({"trials": groups.size(), "mean": groups.mean()}).reset_index()
    tau2 = split.variance(CONFIGURATION)
    noise = split.of_a_mean * split.seeds / frame["trials"]
    total = tau2 + noise
    rho = (tau2 / total).where(total > 0, 1.0)
    frame = frame.assign(
        standard_error=np.sqrt(noise),
        expected_true=split.mean + rho * (frame["mean"] - split.mean),
        standard_deviation=np.sqrt(tau2 * (1 - rho)),
    )
    return frame.sort_values("mean", ascending=minimize, kind="stable", ignore_index=True)


def seed_mean_curve(
    trials: pd.DataFrame,
    split: VarianceSplit,
    budgets: Sequence[int] | None = None,
    minimize: bool = False,
    score: str = "score",
) -> pd.DataFrame:
    """Expected best over configurations of the seed mean, as shown and as it is worth.

    A row per number of configurations n (None: 1 .. N): configurations, expected_best (`tuning_curve` U over the
    means), expected_true (of the configuration that has the best mean of n: `shrunken_means` looked up by
    `expected_test_of_winner`), optimism (how much better the first looks). For n > 1 the first is biased by selection.
    """
    means = shrunken_means(trials, split, minimize, score)
    sizes = list(range(1, len(means) + 1)) if budgets is None else list(budgets)
    shown = tuning_curve(means["mean"], sizes, minimize=minimize)
    worth = expected_test_of_winner(means["mean"], means["expected_true"], sizes, minimize=minimize)
    lead = worth - shown if minimize else shown - worth
    return pd.DataFrame({"configurations": sizes, "expected_best": shown, "expected_true": worth, "optimism": lead})


def probability_of_right_choice(difference: float, sigma_a: float, sigma_b: float, seeds: ArrayLike) -> Floats:
    """P(the mean of s seeds of the better of two is above that of the worse) = Phi(d / sqrt((sa^2 + sb^2) / s)).

    difference: of the true means, at least 0; sigma: of one seed; normal, independent scores. Shape: of `seeds`.
    """
    number = np.asarray(seeds, dtype=np.float64)
    noise = math.hypot(sigma_a, sigma_b)
    if difference < 0 or noise <= 0 or not (number >= 1).all():
        raise ValueError("the difference must be at least 0, the noise above 0, the seeds at least 1")
    return np.asarray(stats.norm.cdf(difference * np.sqrt(number) / noise), dtype=np.float64)
