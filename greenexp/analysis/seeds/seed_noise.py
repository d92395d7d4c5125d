"""How much of the difference between two configurations of a sweep is seed noise.

All configurations of a sweep get the same seeds, so what a seed does to all of them alike cancels in a difference of
two means, and what it does to each configuration by itself does not. In the split with shared seeds
(`analysis.seeds.variance`), with U the sources that depend on the configuration and on something else, and levels_u the
draws of u that a mean averages over,

    noise of one mean          v = sum_{u in U} sigma_u^2 / levels_u
    noise of a difference      2 v
    share that is no noise     rho = tau^2 / (tau^2 + v),  tau^2 the variance between configurations

rho is the share of the variance of a difference that is of the configurations, for two of them drawn at random; 1 - rho
is seed noise. It is no share of one difference: for two that are close, noise can be larger than what they differ by.
Given the means, the true difference of two configurations is normal with mean rho times the observed one and variance
2 tau^2 (1 - rho) (best prediction; Searle, Casella & McCulloch 1992, chapter 7). With one seed column
1 - rho = E[MS_u] / E[MS_c], whose interval follows from that of an F ratio, exactly.

Assumptions: those of `analysis.seeds.variance`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit


@dataclass(frozen=True, slots=True)
class SeedNoise:
    """What is left of the seeds in a difference; see the module.

    one: standard deviation, over seeds, of a single trial around what its configuration and its seed make of it
    of_a_mean: of a mean over the seeds there are, sqrt(v)
    common: share of the seeds' variance that is common to all configurations, and cancels
    share: 1 - rho, of the variance of a difference; NaN without any variance
    lower, upper: interval of the share, NaN where there is none
    tau: standard deviation between configurations
    """

    one: float
    of_a_mean: float
    common: float
    share: float
    lower: float
    upper: float
    tau: float

    @property
    def of_a_difference(self) -> float:
        """Standard deviation of a difference of two means by seeds alone, sqrt(2 v)."""
        return math.sqrt(2) * self.of_a_mean

    def probability_of_lead(self, lead: float) -> float:
        """P(true difference > 0) for two configurations whose means differ by `lead` >= 0, given the means.

        Phi(rho lead / sqrt(2 tau^2 (1 - rho))): 1/2 if configurations do not differ, 1 if there is no noise. Under the
        model it holds for the best two as well.
        """
        if self.of_a_mean == 0 or self.tau == 0:
            return 0.5 if lead == 0 or self.tau == 0 else 1.0
        rho = 1 - self.share
        return float(stats.norm.cdf(rho * lead / (math.sqrt(2 * self.share) * self.tau)))


def seed_noise(split: VarianceSplit) -> SeedNoise:
    """The noise of differences in a split made with `shared_seeds`; see the module. At least two configurations.

    ValueError for a single configuration.
    """
    if split.configurations < 2:
        raise ValueError("a difference needs two configurations")
    table = split.table
    own = table["source"].str.startswith(f"{CONFIGURATION} x ") | (table["source"] == "residual")
    of_one = float(table.loc[own, "variance"].sum())
    noise = float((table.loc[own, "variance"] / table.loc[own, "levels"]).sum())
    seeds = float(table.loc[table["source"] != CONFIGURATION, "variance"].sum())
    total = split.variance(CONFIGURATION) + noise
    low, high = _interval(table, table[own], split.confidence)
    return SeedNoise(
        one=math.sqrt(of_one),
        of_a_mean=math.sqrt(noise),
        common=1 - of_one / seeds if seeds > 0 else math.nan,
        share=noise / total if total > 0 else math.nan,
        lower=low,
        upper=high,
        tau=math.sqrt(split.variance(CONFIGURATION)),
    )


@dataclass(frozen=True, slots=True)
class ComparisonNoise:
    """What one seed adds to a comparison of two configurations.

    sd: standard deviation of one trial's score over seeds, without what cancels if the seeds are paired
    lower, upper: its interval, NaN where there is none
    paired: whether configurations share their seeds, so that they are compared seed by seed
    ratios: interval of the variance between configurations over sd^2, NaN where there is none
    """

    sd: float
    lower: float
    upper: float
    paired: bool
    ratios: tuple[float, float]

    def of_a_difference(self, seeds: float) -> float:
        """Standard error of the difference of two means over `seeds` seeds each."""
        return math.sqrt(2 / seeds) * self.sd

    def of_test(self, sd: float) -> float:
        """The standard deviation that a t test works with: of the differences, if the seeds are paired."""
        return math.sqrt(2) * sd if self.paired else sd


def comparison_noise(split: VarianceSplit, shared_seeds: bool) -> ComparisonNoise:
    """The noise of one seed in a comparison.

    With shared seeds and several configurations it is what is left after pairing by seed (`SeedNoise.one`); otherwise
    all that the seeds do to one trial, sqrt(`split.of_one_trial`).

    Parameters
    ----------
    split : VarianceSplit, required
        The split of the scores, made with the same `shared_seeds`.
    shared_seeds : bool, required
        Whether equal seeds of two configurations are the same seed.

    Returns
    -------
    ComparisonNoise
        The standard deviation and its interval, in the unit of the scores.

    """
    table, several = split.table, split.configurations > 1
    paired = shared_seeds and several
    of_seeds = table["source"] != CONFIGURATION
    if paired:
        of_seeds &= table["source"].str.startswith(f"{CONFIGURATION} x ") | (table["source"] == "residual")
    rows = table[of_seeds]
    ends = [math.sqrt(end) for end in rows[["lower", "upper"]].iloc[0]] if len(rows) == 1 else [math.nan] * 2
    ratios = [math.nan, math.nan]
    if paired:
        noise = seed_noise(split)
        levels = float(rows["levels"].iloc[0])
        ratios = [(1 - s) / (s * levels) if s != 0 else math.inf for s in (noise.upper, noise.lower)]
        sd = noise.one
    else:
        sd = math.sqrt(split.of_one_trial)
        if several:
            ratios = [share / (1 - share) if share != 1 else math.inf for share in split.share]
    return ComparisonNoise(sd, ends[0], ends[1], paired, (ratios[0], ratios[1]))


def _interval(table: pd.DataFrame, own: pd.DataFrame, confidence: float) -> tuple[float, float]:
    """MS_u / MS_c is F-distributed about E[MS_u] / E[MS_c] = 1 - rho."""
    between = table[table["source"] == CONFIGURATION]
    if len(own) != 1 or between.empty:
        return math.nan, math.nan
    levels, within = float(own["levels"].iloc[0]), float(own["estimate"].iloc[0])
    square = levels * float(between["estimate"].iloc[0]) + within
    if not (square > 0 and within > 0):
        return math.nan, math.nan
    degrees = float(own["degrees_of_freedom"].iloc[0]), float(between["degrees_of_freedom"].iloc[0])
    alpha = (1 - confidence) / 2
    bounds = within / square / stats.f.ppf([1 - alpha, alpha], *degrees)
    low, high = np.clip(bounds, 0.0, 1.0)
    return float(low), float(high)
