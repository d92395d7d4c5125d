"""Methods side by side over their seeds: distributions, differences, every test, and what the tests could find."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.power import seeds_needed, smallest_difference
from greenexp.analysis.comparing.score_distribution import distribution_table, quantile_table
from greenexp.analysis.comparing.score_tests import compare_scores, score_tests
from greenexp.cli.remarks import note
from greenexp.cli.seed_sources import BY, CONFIGURATION, SCORE, SeedTable
from greenexp.errors import InputError

ANY_P = ("welch", "paired_t")
"""Tests that can give any p-value, however few the scores, as they take them for normal."""
MOST = 20
"""Methods beyond which every pair is too many to print, and too many to correct for."""
Units = dict[str, "pd.Series[float]"]


def method_sections(table: SeedTable, asked: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """methods, distribution, pairs, tests, reach. InputError where there are not two methods with two scores."""
    units = _units(table, asked["paired"])
    few = [name for name, scores in units.items() if len(scores) < 2]
    for name in few:
        note(f"{name} has one score, which has no spread: it is left out of the comparison")
        del units[name]
    if len(units) < 2:
        raise InputError(f"--by {table.by}: a comparison needs two groups with two scores each")
    if len(units) > MOST:
        raise InputError(f"--by {table.by}: {len(units)} groups; pair by pair at most {MOST} are compared")
    confidence = 1 - asked["alpha"]
    scores = {name: values.to_numpy(dtype=np.float64) for name, values in units.items()}
    rng = np.random.default_rng(asked["resampling_seed"])
    pairs, tests = [], []
    for a, b in itertools.combinations(units, 2):
        ours, theirs = _aligned(a, b, units) if asked["paired"] else (scores[a], scores[b])
        if ours.size < 2:
            note(f"{a} and {b} have fewer than two seeds in common: not compared")
            continue
        pairs.append(_pair(a, b, ours, theirs, table, asked, rng))
        found = score_tests(ours, theirs, rng, paired=asked["paired"])
        tests.append(found.assign(a=a, b=b, n_a=ours.size, n_b=theirs.size))
    if not pairs:
        raise InputError("--paired: no two groups have two seeds in common")
    tested = _corrected(pd.concat(tests, ignore_index=True))
    return {
        "methods": quantile_table(scores, (0.25, 0.5, 0.75), confidence),
        "distribution": distribution_table(scores, confidence),
        "pairs": pd.concat(pairs, ignore_index=True),
        "tests": tested,
        "reach": _reach(tested, len(pairs), asked["alpha"]),
    }


def _units(table: SeedTable, paired: bool) -> Units:
    """The independent scores of each method, by what makes pairs of them.

    Trials by their seeds if a method is one configuration; else trials of a configuration depend on each other, and
    the scores are the configurations' means over their seeds.
    """
    groups = dict(iter(table.trials.groupby(BY, sort=False)))
    several = max(members[CONFIGURATION].nunique() for members in groups.values()) > 1
    if several:
        note(
            "groups have several configurations, whose trials depend on each other: a score here is a configuration's "
            f"mean over its seeds{', and equal configurations are pairs' if paired else ''}"
        )
        return {str(name): part.groupby(CONFIGURATION, sort=False)[SCORE].mean() for name, part in groups.items()}
    seeds = list(table.seeds)
    again = int(table.trials.duplicated([BY, *seeds]).sum())
    if again:
        raise InputError(
            f"{again} of {len(table.trials)} trials have the seeds of another of their group, and are no independent "
            "scores; choose rows by --where COLUMN=VALUE, or tell them apart by --configuration"
        )
    crossed = [part for part in groups.values() if len(seeds) > 1 and min(part[seeds].nunique()) > 1]
    if any(part[name].duplicated().any() for part in crossed for name in seeds):
        note("trials of a group share seeds (crossed), so they are not independent, and p-values are too small")
    return {str(name): part.set_index(seeds)[SCORE] for name, part in groups.items()}


def _aligned(a: str, b: str, units: Units) -> tuple[np.ndarray, np.ndarray]:
    both = pd.concat([units[a], units[b]], axis=1, join="inner").to_numpy(dtype=np.float64)
    alone = len(units[a]) + len(units[b]) - 2 * len(both)
    if alone and len(both):
        note(f"{a}, {b}: {alone} scores have no partner and are left out of the pair's comparison")
    return both[:, 0], both[:, 1]


def _pair(
    a: str, b: str, ours: np.ndarray, theirs: np.ndarray, table: SeedTable, asked: dict[str, Any],
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Difference, effect sizes and order, and what a t test at this noise would find."""
    paired, alpha, power = asked["paired"], asked["alpha"], asked["power"]
    test = "paired_t" if paired else "welch"
    row = compare_scores({a: ours, b: theirs}, rng, test, 1 - alpha, table.minimize)
    row = row.drop(columns=["p", "p_holm", "p_bonferroni", "test"])
    spread = [float((ours - theirs).std(ddof=1))] if paired else [float(x.std(ddof=1)) for x in (ours, theirs)]
    spread.sort(reverse=True)  # one of the two may be 0
    told = needed = math.nan
    if spread[0] > 0:
        sd, other = spread[0], spread[1] if len(spread) > 1 else None
        told = smallest_difference(min(ours.size, theirs.size), sd, other, paired, power, alpha)
        if asked["difference"]:
            found = seeds_needed(asked["difference"], sd, other, paired, power, alpha)
            needed = math.nan if found is None else float(found)
    row = row.assign(smallest_difference=told)
    return row.assign(needed=needed) if asked["difference"] else row


def _corrected(tests: pd.DataFrame) -> pd.DataFrame:
    """p_holm: over the pairs, test by test; a test that is not defined counts as one all the same."""
    for _, rows in tests.groupby("test", sort=False):
        known = rows["p"].notna()
        tests.loc[rows.index[known], "p_holm"] = holm(rows["p"].fillna(1.0))[known]
    return tests[["a", "b", "n_a", "n_b", "test", "statistic", "p", "p_holm", "least_p", "method"]]


def _reach(tests: pd.DataFrame, pairs: int, alpha: float) -> pd.DataFrame:
    """The smallest p-value that so few scores can give, of the pair that allows the smallest, before and after Holm.

    Holm's smallest is the number of pairs times the smallest p, so below that bound no pair comes. can_find: whether it
    is at most `alpha`; None where the bound is not known, as of ranks taken for normal.
    """
    least = tests.groupby("test", sort=False)["least_p"].min()
    corrected = np.minimum(1.0, least.to_numpy(dtype=np.float64) * pairs)
    able = [
        bool(bound <= alpha) if bound > 0 or name in ANY_P else None
        for name, bound in zip(least.index, corrected, strict=True)
    ]
    return pd.DataFrame({
        "test": least.index, "least_p": least.to_numpy(), "least_p_holm": corrected,
        "can_find": pd.Series(able, dtype=object),
    })  # fmt: skip
