"""The variance split of each group of trials, and what it says of the number of seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.power import seeds_needed, smallest_difference
from greenexp.analysis.seeds.seed_budget import seed_plans
from greenexp.analysis.seeds.seed_noise import seed_noise
from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit, variance_split
from greenexp.cli.remarks import note
from greenexp.cli.seed_sources import BY, SeedTable
from greenexp.errors import InputError

LOOKED_AT = (1, 2, 3, 5, 10, 20, 40)
_NEAR_ZERO = 1e-4
"""In place of no variance between configurations, where every plan would be as good: the limit of the best one."""


@dataclass(frozen=True, eq=False)
class Noise:
    """What one seed is worth: sd with its interval (NaN: there is none), and whether it is that of paired seeds.

    ratios: interval of the variance of configurations over that of one seed, NaN where there is none
    """

    sd: float
    lower: float
    upper: float
    paired: bool
    ratios: tuple[float, float]


def split_sections(table: SeedTable, asked: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """splits, variance, plans, worth, power and needed, a row or more for every group.

    InputError if nothing can be split and there are no groups to compare.
    """
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in SECTIONS}
    for name, trials in table.trials.groupby(BY, sort=False):
        of = f"{name}: " if table.by is not None else ""
        try:
            split = variance_split(trials, table.seeds, shared_seeds=table.shared, confidence=1 - asked["alpha"])
        except ValueError as error:
            if table.by is None:
                raise InputError(f"the variance is not split: {error}") from error
            note(f"{of}the variance is not split: {error}")
            continue
        for remark in split.remarks:
            note(f"{of}{remark}, nor does what is said of the number of seeds")
        noise = noise_of(split, table.shared)
        found = {"splits": _facts(split, noise), "variance": split.table}
        if noise.sd == 0:
            note(f"{of}scores do not vary over seeds: nothing follows for the number of seeds")
        else:
            found |= {"power": _power(split, noise, asked), **_plans(split, noise, len(trials), table, asked, of)}
            if asked["difference"]:
                found["needed"] = _needed(noise, asked)
        for section, frame in found.items():
            frame.insert(0, BY, str(name))
            parts[section].append(frame)
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items() if frames}


SECTIONS = ("splits", "variance", "worth", "plans", "power", "needed")


def noise_of(split: VarianceSplit, shared: bool) -> Noise:
    """Of one seed; with shared seeds and several configurations, of what does not cancel in a difference."""
    table, several = split.table, split.configurations > 1
    paired = shared and several
    own = table["source"] != CONFIGURATION
    if paired:
        own &= table["source"].str.startswith(f"{CONFIGURATION} x ") | (table["source"] == "residual")
    rows = table[own]
    sd = seed_noise(split).one if paired else math.sqrt(split.of_one_trial)
    ends = [math.sqrt(end) for end in rows[["lower", "upper"]].iloc[0]] if len(rows) == 1 else [math.nan] * 2
    ratios = [math.nan, math.nan]
    if paired:
        shares = seed_noise(split).upper, seed_noise(split).lower
        levels = float(rows["levels"].iloc[0])
        ratios = [(1 - share) / (share * levels) if share != 0 else math.inf for share in shares]
    elif several:
        ratios = [share / (1 - share) if share != 1 else math.inf for share in split.share]
    return Noise(sd, ends[0], ends[1], paired, (ratios[0], ratios[1]))


def _facts(split: VarianceSplit, noise: Noise) -> pd.DataFrame:
    row = {
        "configurations": split.configurations,
        "seeds": split.seeds,
        "mean": split.mean,
        "sd_configurations": math.sqrt(split.variance(CONFIGURATION)) if split.configurations > 1 else math.nan,
        "sd_seed": noise.sd,
        "sd_seed_lower": noise.lower,
        "sd_seed_upper": noise.upper,
        "share_lower": split.share[0],
        "share_upper": split.share[1],
        "design": split.design,
    }
    return pd.DataFrame([row])


def _plans(
    split: VarianceSplit, noise: Noise, trials: int, table: SeedTable, asked: dict[str, Any], of: str
) -> dict[str, pd.DataFrame]:
    """plans: as many trials, spent on fewer or more seeds; worth: the best of them."""
    tau = math.sqrt(split.variance(CONFIGURATION))
    if split.configurations < 2:
        return {}
    if tau == 0:
        note(
            f"{of}by estimate all variance is of the seeds: configurations do not differ, so no plan finds a better one"
        )
        return {}
    budget = asked["trials"] or trials
    every = seed_plans(budget, tau, noise.sd, split.mean, None, table.minimize)
    best = _best(every, table.minimize)
    each = sorted({s for s in (*LOOKED_AT, round(split.seeds), best) if 2 * s <= budget} | {1, best})
    frame = seed_plans(budget, tau, noise.sd, split.mean, each, table.minimize)
    worth = frame.set_index("seeds")["expected_true"]
    ends = [_best_at(budget, ratio) for ratio in noise.ratios]
    row = {
        "trials": budget,
        "seeds_worth_having": best,
        "least": min(ends),  # NaN of both or of none
        "most": max(ends),
        "gain_over_one_seed": abs(float(worth[best] - worth[1])),
    }
    return {"plans": frame, "worth": pd.DataFrame([row])}


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


def _power(split: VarianceSplit, noise: Noise, asked: dict[str, Any]) -> pd.DataFrame:
    """seeds, smallest_difference: what a two-sided t test finds with the power asked for, at this noise in both."""
    each = sorted({s for s in (*LOOKED_AT, round(split.seeds)) if s > 1})
    found = [smallest_difference(s, _of_test(noise.sd, noise), **_level(noise, asked)) for s in each]
    test = "paired t" if noise.paired else "t"
    return pd.DataFrame({"seeds": each, "smallest_difference": found, "test": test})


def _needed(noise: Noise, asked: dict[str, Any]) -> pd.DataFrame:
    """Seeds of each for --difference, at the noise there is and at the ends of its interval."""
    difference = asked["difference"]
    ends = [
        seeds_needed(difference, _of_test(sd, noise), **_level(noise, asked)) if sd > 0 else math.nan
        for sd in (noise.sd, noise.lower, noise.upper)
    ]
    numbers = np.array([math.nan if end is None else end for end in ends], dtype=np.float64)
    return pd.DataFrame({
        "difference": [difference], "seeds_needed": numbers[:1], "if_noise_is_least": numbers[1:2],
        "if_noise_is_most": numbers[2:],
    })  # fmt: skip


def _of_test(sd: float, noise: Noise) -> float:
    """The standard deviation a t test works with: of differences, if the seeds are paired."""
    return math.sqrt(2) * sd if noise.paired else sd


def _level(noise: Noise, asked: dict[str, Any]) -> dict[str, Any]:
    return {"paired": noise.paired, "power": asked["power"], "alpha": asked["alpha"]}
