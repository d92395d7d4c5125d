"""Pairs of methods that were trained with the same seeds: which of the two is better, or whether they are the same.

d_i, i = 1 .. n, the differences of a pair seed by seed; m their mean; s the standard deviation of one d_i, with f
degrees of freedom; e = s / sqrt(n) the standard error of m.

    difference    p of t = m / e with f degrees of freedom, two-sided; corrected by Holm over all pairs
    equivalence   two one-sided tests (Schuirmann 1987): p = max(P(T > (m + c) / e), P(T < (m - c) / e)), for a margin c
                  within which two methods count as the same; corrected by Holm over all pairs, apart from the others
    detectable    the smallest true difference that n such pairs find with probability `power`
                  (`analysis.comparing.power`)

s is that of the pair's own differences, f = n - 1: the paired t test. Or it is pooled: the scores y of all methods
compared are fitted by y = method + seed + residual (least squares), s^2 = 2 sum residual^2 / f, and f, their number
less that of the parameters, is what makes few seeds tell more: with 5 seeds of 20 methods 76 in place of 4.

Why t: the exact tests of few pairs cannot reject at all (sign flips and signed ranks: p >= 2 / 2^n, 0.0625 for n = 5),
before any correction. So with n = 5 the normality of the d_i is bought, not tested; a mean of hundreds of examples'
answers is nearly normal, a run that collapsed is not. The sign-flip p stands beside it, as a check from n = 6 on.

Assumptions: the d_i are independent with one normal distribution; pooled: the residuals of all methods have one
variance; the pairs to compare were chosen before the scores were seen. Seeds stand for new runs on these training and
dev examples, not for new examples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.power import smallest_difference
from greenexp.analysis.comparing.score_tests import score_tests
from greenexp.analysis.numbers.rounding import unless_rounding
from greenexp.records.arrays import Floats

COMPARED = (
    "a", "b", "n", "difference", "error", "lower", "upper", "p", "p_holm", "p_sign_flip", "p_same", "p_same_holm",
    "detectable", "finding",
)  # fmt: skip
BETTER, WORSE, SAME, UNRESOLVED = "a better", "b better", "same", "not resolved"


@dataclass(frozen=True, slots=True)
class Noise:
    """sd: of the difference of two methods' scores with one seed; degrees: of freedom it was estimated with.

    lowest, highest: the same from one method's residuals alone, of those with the least and the most
    """

    sd: float
    degrees: float
    lowest: float = math.nan
    highest: float = math.nan


def compare_paired(
    scores: Mapping[str, pd.Series[float]],
    pairs: Sequence[tuple[str, str]],
    rng: np.random.Generator,
    margin: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    minimize: bool = False,
    noise: Noise | None = None,
) -> pd.DataFrame:
    """A row per pair (a, b), COMPARED, in the order given; see the module.

    scores: method -> its scores, indexed by seed; of a pair, seeds that both have and that are not NaN are used: n.
    margin: c, in the score's unit, None to leave equivalence out; rng: for sign flips where there are too many; noise:
    `pooled_noise`, None for each pair's own.
    difference: a - b, NaN without a common seed; lower, upper: t interval of confidence 1 - alpha, for itself;
    what cannot be computed (n = 1, or differences that do not vary) is NaN, and counts as 1 in the corrections.
    finding: `a better` or `b better` if p_holm <= alpha, else `same` if p_same_holm <= alpha, else `not resolved`.
    """
    if margin is not None and not margin > 0:
        raise ValueError(f"a margin must be above 0, received {margin}")
    found = [_row(*_common(scores[a], scores[b]), rng, margin, alpha, power, noise) for a, b in pairs]
    rows = [{**row, "a": a, "b": b} for row, (a, b) in zip(found, pairs, strict=True)]
    table = pd.DataFrame(rows, columns=list(COMPARED))
    for name in ("p", "p_same"):
        corrected = holm(table[name].fillna(1.0).to_numpy(np.float64))
        table[f"{name}_holm"] = np.where(table[name].notna(), corrected, np.nan)
    better = table["difference"] < 0 if minimize else table["difference"] > 0
    finding = np.where(table["p_same_holm"] <= alpha, SAME, UNRESOLVED)
    table["finding"] = np.where(table["p_holm"] <= alpha, np.where(better, BETTER, WORSE), finding)
    return table


def pooled_noise(scores: Mapping[str, pd.Series[float]], methods: Iterable[str] | None = None) -> Noise:
    """The noise of one seed that all methods share; see the module. NaN where there is nothing left to estimate it.

    scores: as in `compare_paired`, seeds may be missing; methods: those to be compared (None: all), each once
    """
    chosen = list(scores) if methods is None else list(dict.fromkeys(methods))
    parts = [scores[name].rename("y").to_frame().assign(method=name) for name in chosen]
    frame = pd.concat(parts).dropna() if parts else pd.DataFrame({"y": [], "method": []})
    method, methods_there = pd.factorize(frame["method"])
    seed, seeds_there = pd.factorize(frame.index)
    design = np.zeros((len(frame), len(methods_there) + len(seeds_there)))
    design[np.arange(len(frame)), method] = 1
    design[np.arange(len(frame)), len(methods_there) + seed] = 1
    y = frame["y"].to_numpy(np.float64)
    degrees = len(frame) - int(np.linalg.matrix_rank(design)) if len(frame) else 0
    if degrees < 1:
        return Noise(math.nan, 0.0)
    squares = pd.Series((y - design @ np.linalg.lstsq(design, y)[0]) ** 2).groupby(method)
    # Each method's share of the degrees of freedom, as if they were dealt out by numbers of scores.
    own = np.sqrt(2 * squares.sum() / (squares.size() * degrees / len(frame)))
    together = math.sqrt(2 * squares.sum().sum() / degrees)
    sd, low, high = (unless_rounding(float(value), y) for value in (together, own.min(), own.max()))
    return Noise(sd, float(degrees), low, high)


def _common(a: pd.Series[float], b: pd.Series[float]) -> tuple[Floats, Floats]:
    both = pd.concat([a.rename("a"), b.rename("b")], axis=1, join="inner").dropna()
    return both["a"].to_numpy(np.float64), both["b"].to_numpy(np.float64)


def _row(
    a: Floats,
    b: Floats,
    rng: np.random.Generator,
    margin: float | None,
    alpha: float,
    power: float,
    pooled: Noise | None,
) -> dict[str, object]:
    differences = a - b
    n = differences.size
    row: dict[str, object] = {**dict.fromkeys(COMPARED, math.nan), "n": n}
    if n:
        row["difference"] = mean = float(differences.mean())
    if n < 2:
        return row
    row["p_sign_flip"] = float(score_tests(a, b, rng, paired=True).set_index("test")["p"]["sign_flip"])
    noise = Noise(unless_rounding(float(differences.std(ddof=1)), a, b), n - 1) if pooled is None else pooled
    if not noise.sd > 0:
        return row
    error = noise.sd / math.sqrt(n)
    reach = float(stats.t.ppf(1 - alpha / 2, noise.degrees)) * error
    row |= {"error": error, "lower": mean - reach, "upper": mean + reach}
    row["p"] = 2 * float(stats.t.sf(abs(mean) / error, noise.degrees))
    row["detectable"] = smallest_difference(n, noise.sd, paired=True, power=power, alpha=alpha, degrees=noise.degrees)
    if margin is not None:
        above = stats.t.sf((mean + margin) / error, noise.degrees)
        below = stats.t.cdf((mean - margin) / error, noise.degrees)
        row["p_same"] = float(max(above, below))
    return row
