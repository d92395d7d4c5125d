"""Times of the statistics beside opda's: `python benchmarks/analysis.py [--opda SECONDS]`.

Ours: the exact simultaneous band at N = 50, 200, 1,000 and 10,000, and the unbiased tuning curve of 100,000 scores at
1,000 budgets. opda's two bands of that kind, `ld_equal_tailed` and `ld_highest_density`, calibrate by simulation and
take minutes and gigabytes at N = 1,000: each is tried at growing N as long as the next is expected, at ten times the
last, to stay below SECONDS (default 60; 0: leave opda out; 1000: all of them).

Seconds are CPU seconds of one process, so that a busy machine changes little: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from greenexp.analysis.curves.bands import Method, confidence_band
from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error
from greenexp.analysis.numbers.order_statistics import equal_local_level

SIZES = (50, 200, 1_000)
LARGE = 10_000
SCORES, BUDGETS = 100_000, 1_000
REPEATS = 5
GROWTH = 10.0
"""opda's time from one of SIZES to the next grew 7 to 9 times where it was measured."""


def seconds(what: Callable[[], object], repeats: int = 1) -> float:
    """CPU seconds, the least of `repeats` runs."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        what()
        times.append(time.process_time() - begin)
    return min(times)


def band(scores: np.ndarray, method: Method) -> object:
    equal_local_level.cache_clear()  # what is calibrated for N and a confidence is kept
    return confidence_band(scores, 0.95, method)


def opda_band(scores: np.ndarray, method: str) -> object:
    from opda.nonparametric import EmpiricalDistribution

    # A new generator each time: opda keeps what it has calibrated for a generator and N.
    return EmpiricalDistribution.confidence_bands(
        scores, 0.95, generator=np.random.default_rng(0), method=method, n_jobs=1
    )


def ours(rng: np.random.Generator) -> None:
    print(f"{'':44}CPU time, best of {REPEATS}")
    for n in (*SIZES, LARGE):
        scores = rng.random(n)
        for method in ("equal_local_levels", "ks", "dkw"):
            taken = seconds(lambda s=scores, m=method: band(s, m), REPEATS)
            print(f"{'greenexp ' + method:32} N = {n:6,}  {taken:8.4f} s")
    scores, budgets = rng.random(SCORES), np.unique(np.linspace(1, SCORES, BUDGETS).astype(int))
    for name, curve in (("U", tuning_curve), ("jackknife error of U", tuning_curve_error)):
        taken = seconds(lambda c=curve: c(scores, budgets), REPEATS)
        print(f"{'greenexp ' + name:32} N = {SCORES:,} x {budgets.size:,} budgets  {taken:.3f} s")


def theirs(rng: np.random.Generator, most: float) -> None:
    try:
        installed = version("opda")
    except PackageNotFoundError:
        print("opda is not installed")
        return
    print(f"\nopda {installed}, one process, one run each")
    for method in ("ld_equal_tailed", "ld_highest_density"):
        expected = 0.0
        for n in SIZES:
            if expected > most:
                print(f"{'opda ' + method:32} N = {n:6,}  left out: expected {expected:.0f} s")
                break
            scores = rng.random(n)
            taken = seconds(lambda s=scores, m=method: opda_band(s, m))
            expected = taken * GROWTH
            print(f"{'opda ' + method:32} N = {n:6,}  {taken:8.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opda", type=float, default=60.0, metavar="SECONDS", help="longest run to expect; 0: none")
    most = parser.parse_args().opda
    rng = np.random.default_rng(0)
    ours(rng)
    if most > 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs(rng, most)


if __name__ == "__main__":
    main()
