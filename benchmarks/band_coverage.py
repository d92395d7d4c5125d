"""How often bands contain the truth, by simulation: `python benchmarks/band_coverage.py [--repetitions 20000]`.

Scores are drawn from a known distribution, P(score > y) = (1 - y)^(3/2) on [0, 1]: what a random search over three
hyperparameters finds near a smooth optimum. Bands of the distribution function and of the median curve are about all
values, and all budgets from 1 to 2N, at once. Intervals of the percentile bootstrap are about one budget each.

Beside every share stands its exact binomial 95 % interval (Clopper & Pearson 1934).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import special, stats

from greenexp.analysis.curves.bands import Method, confidence_band
from greenexp.analysis.curves.bootstrap import rank_weights
from greenexp.analysis.curves.curve_bands import tuning_curve_band

SIZES = (10, 50)
CONFIDENCE = 0.95
RESAMPLES = 1_000
METHODS: tuple[Method, ...] = ("equal_local_levels", "ks", "dkw")
SHAPE = 1.5


def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return 1 - rng.random(shape) ** (1 / SHAPE)


def cdf(scores: np.ndarray) -> np.ndarray:
    return 1 - (1 - scores) ** SHAPE


def median_of_best(budgets: np.ndarray) -> np.ndarray:
    return 1 - (1 - 0.5 ** (1 / budgets)) ** (1 / SHAPE)


def mean_of_best(budgets: np.ndarray) -> np.ndarray:
    """1 - E[min of n draws of 1 - score], whose survival function is (1 - s^k)^n: B(1/k, n + 1) / k."""
    return 1 - special.beta(1 / SHAPE, budgets + 1) / SHAPE


def line(what: str, n: int, hits: int, repetitions: int) -> None:
    low = stats.beta.ppf(0.025, hits, repetitions - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.975, hits + 1, repetitions - hits) if hits < repetitions else 1.0
    print(f"{what:52} N = {n:3}  {100 * hits / repetitions:6.2f} %  [{100 * low:.2f}, {100 * high:.2f}]")


def distribution_bands(samples: np.ndarray) -> None:
    """A band's bounds depend on N alone, so they are computed once and held against every sample."""
    n = samples.shape[1]
    for method in METHODS:
        band = confidence_band(np.arange(n, dtype=float), CONFIDENCE, method)
        truth = cdf(np.sort(samples, axis=1))
        # F is continuous and rises: between neighbours it is in the band if it is at both ends.
        held = (truth >= band.lower[1:]) & (truth <= band.upper[:-1])
        line(f"{method}, distribution function", n, int(held.all(axis=1).sum()), len(samples))


def median_curve_bands(samples: np.ndarray) -> None:
    n = samples.shape[1]
    budgets = np.arange(1, 2 * n + 1)
    truth = median_of_best(budgets)
    for method in METHODS:
        # The bounds are scores of certain ranks, or an end of the support: find out which, once.
        ranks = tuning_curve_band(np.arange(1, n + 1, dtype=float), budgets, CONFIDENCE, "median", method, (0, n + 1))
        knots = np.pad(np.sort(samples, axis=1), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        low, high = (knots[:, ranks[side].to_numpy(dtype=int)] for side in ("lower", "upper"))
        held = ((low <= truth) & (truth <= high)).all(axis=1)
        line(f"{method}, median curve, n = 1 .. {2 * n}", n, int(held.sum()), len(samples))


def bootstrap(samples: np.ndarray, rng: np.random.Generator) -> None:
    n = samples.shape[1]
    budgets = np.array([1, n // 2, n])
    truth = mean_of_best(budgets)
    weights = rank_weights(n, budgets, "unbiased")
    tail = (1 - CONFIDENCE) / 2
    hits = np.zeros(3, dtype=int)
    for scores in np.sort(samples, axis=1):
        drawn = np.sort(rng.integers(n, size=(RESAMPLES, n), dtype=np.int16), axis=1)
        low, high = np.quantile(scores[drawn] @ weights, [tail, 1 - tail], axis=0)
        hits += (low <= truth) & (truth <= high)
    for budget, count in zip(budgets, hits, strict=True):
        line(f"percentile bootstrap of U, n = {budget} alone", n, int(count), len(samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20_000)
    repetitions = parser.parse_args().repetitions
    begin = time.perf_counter()
    print(f"{repetitions:,} repetitions, {100 * CONFIDENCE:g} % asked for, bootstrap with {RESAMPLES:,} resamples")
    for n in SIZES:
        rng = np.random.default_rng(n)
        samples = draw(rng, (repetitions, n))
        distribution_bands(samples)
        median_curve_bands(samples)
        bootstrap(samples, rng)
    print(f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
