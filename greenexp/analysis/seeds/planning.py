"""What a variance split says about the number of seeds: plans, power, and the seeds a difference takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.power import seeds_needed, smallest_difference
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.seed_budget import seed_plans
from greenexp.analysis.seeds.seed_noise import ComparisonNoise
from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit

SEED_NUMBERS = (1, 2, 3, 5, 10, 20, 40)
"""Numbers of seeds that every table looks at, besides those there are."""
_NEAR_ZERO = 1e-4
"""In place of no variance between configurations, where every plan would be as good: the limit of the best one."""


@dataclass(frozen=True, eq=False)
class SeedPlans:
    """Plans that spend one number of trials on fewer or more seeds.

    plans: as `seed_plans` gives them; best: the row with the best expected true score, beside plan 1, one seed each
    least, most: the best number of seeds at the ends of the noise's interval, NaN where there is none
    """

    plans: pd.DataFrame
    trials: int
    best: int
    least: float
    most: float

    @property
    def gain(self) -> float:
        """How much better the chosen configuration of the best plan is than that of one seed each."""
        worth = self.plans.set_index("seeds")["expected_true"]
        return abs(float(worth[self.best] - worth[1]))

    @property
    def summary(self) -> pd.DataFrame:
        """One row: trials, seeds_worth_having, least, most, gain_over_one_seed."""
        row = {
            "trials": self.trials,
            "seeds_worth_having": self.best,
            "least": self.least,
            "most": self.most,
            "gain_over_one_seed": self.gain,
        }
        return pd.DataFrame([row])


def plan_seeds(split: VarianceSplit, noise: ComparisonNoise, trials: int, *, minimize: bool) -> SeedPlans | None:
    """The plans for `trials` trials; None where configurations do not differ, so that no plan finds a better one."""
    tau = math.sqrt(split.variance(CONFIGURATION))
    if split.configurations < 2 or tau == 0:
        return None
    best = _best(seed_plans(trials, tau, noise.sd, split.mean, None, minimize), minimize)
    numbers = {s for s in (*SEED_NUMBERS, round(split.seeds), best) if 2 * s <= trials} | {1, best}
    plans = seed_plans(trials, tau, noise.sd, split.mean, sorted(numbers), minimize)
    ends = [_best_at(trials, ratio) for ratio in noise.ratios]
    return SeedPlans(plans, trials, best, min(ends), max(ends))  # NaN of both or of none


def power_table(split: VarianceSplit, noise: ComparisonNoise, options: SeedOptions) -> pd.DataFrame:
    """seeds, standard_error (of a difference of two means), smallest_difference, test: a row per number of seeds.

    smallest_difference: the least true difference that a two-sided t test finds with the power asked for, if both
    configurations have this noise.
    """
    numbers = sorted({s for s in (*SEED_NUMBERS, round(split.seeds)) if s > 1})
    differences = [
        smallest_difference(s, noise.of_test(noise.sd), None, noise.paired, options.power, options.alpha)
        for s in numbers
    ]
    errors = [noise.of_a_difference(s) for s in numbers]
    columns = {"seeds": numbers, "standard_error": errors, "smallest_difference": differences}
    return pd.DataFrame({**columns, "test": "paired t" if noise.paired else "t"})


def needed_table(noise: ComparisonNoise, difference: float, options: SeedOptions) -> pd.DataFrame:
    """Seeds of each configuration that `difference` takes, at the noise there is and at the ends of its interval."""
    numbers = [
        seeds_needed(difference, noise.of_test(sd), None, noise.paired, options.power, options.alpha)
        if sd > 0
        else math.nan
        for sd in (noise.sd, noise.lower, noise.upper)
    ]
    columns = ("seeds_needed", "if_noise_is_least", "if_noise_is_most")
    values = np.array([math.nan if number is None else number for number in numbers], dtype=np.float64)
    return pd.DataFrame([{"difference": difference, **dict(zip(columns, values, strict=True))}])


def _best(plans: pd.DataFrame, minimize: bool) -> int:
    worth = plans["expected_true"].to_numpy()
    return int(plans["seeds"].iloc[worth.argmin() if minimize else worth.argmax()])


def _best_at(trials: int, ratio: float) -> float:
    """The best number of seeds if the variance of configurations is `ratio` times that of a seed."""
    if math.isnan(ratio):
        return math.nan
    if math.isinf(ratio):
        return 1.0
    plans = seed_plans(trials, math.sqrt(max(ratio, _NEAR_ZERO)), 1.0)
    return float(_best(plans, minimize=False))
