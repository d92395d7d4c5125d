"""Two methods' scores over seeds: tests, and how large the difference is.

Unpaired (different seeds, or seeds that mean nothing in common):

    welch            difference of means / its standard error, t with Welch's degrees of freedom: normal scores
    mann_whitney     P(A > B) + P(A = B) / 2 = 1/2, for equal distributions: exact without ties, else normal, corrected
                     for ties and continuity
    brunner_munzel   the same, for distributions of different spread: t approximation, needs about 10 scores each; not
                     defined if the samples do not overlap
    permutation      difference of means over all ways of dealing out the scores: exact for equal distributions

Paired (the same seeds, in the same order), on the differences:

    paired_t         mean / its standard error, t: normal differences
    wilcoxon         signed ranks: exact without ties and zeros, else normal; symmetric differences
    sign_flip        mean over all choices of signs: exact for differences that are symmetric about 0

A permutation or sign-flip test looks at all ways if there are at most EXACT, else at random ones, the observed counted
among them (Phipson & Smyth 2010). With few seeds the exact tests cannot reject: the least two-sided p-value is
2 / C(2n, n) unpaired (n = 3: 0.1, n = 4: 0.029) and 2 / 2^n paired (n = 5: 0.0625, n = 6: 0.031). `least_p` says so.

Which test is chosen must not depend on the p-values. Several pairs: Holm (1979) or Bonferroni over all of them.

Effect sizes: Cohen's d = difference of means / pooled standard deviation, times 1 - 3 / (4 f - 1) for small samples
(Hedges 1981; f = n_a + n_b - 2); probability of superiority P(A > B) + P(A = B) / 2 for one seed of each (Vargha &
Delaney 2000).

Assumptions: independent scores within a method, or independent pairs; two-sided tests throughout.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from greenexp.analysis.comparing.pairwise import EXACT, PERMUTATIONS, holm
from greenexp.analysis.comparing.stochastic_order import BOOTSTRAP, almost_stochastic_order
from greenexp.analysis.numbers.rounding import ROUNDING, difference, size_of, tied, unless_rounding
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats

UNPAIRED = ("welch", "mann_whitney", "brunner_munzel", "permutation")
PAIRED = ("paired_t", "wilcoxon", "sign_flip")
TEST_COLUMNS = ("test", "statistic", "p", "least_p", "method")
PAIR_COLUMNS = (
    "a", "b", "n_a", "n_b", "difference", "lower", "upper", "d", "superiority", "epsilon_min", "epsilon_min_reverse",
    "p", "p_holm", "p_bonferroni", "test",
)  # fmt: skip
_CHUNK = 1_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of A - mean of B with a t interval (Welch's, or of the differences), and what it is in other units.

    lower, upper: NaN if the scores do not vary, which says nothing of what other seeds would give. d: Cohen's,
    corrected; NaN without spread. superiority: P(A better than B) for one seed of each, a tie half
    """

    mean: float
    lower: float
    upper: float
    d: float
    superiority: float
    confidence: float


def score_difference(
    a: ArrayLike, b: ArrayLike, paired: bool = False, confidence: float = 0.95, minimize: bool = False
) -> Difference:
    """How far A's scores are from B's; a: [n], b: [m], finite, at least 2 each, n = m if paired.

    The sign of mean, lower, upper and d is that of A - B, also if `minimize`; superiority is then P(A < B).
    """
    ours, theirs = _checked(a, b, paired)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, received {confidence}")
    mean = float(ours.mean() - theirs.mean())
    error, degrees = _of_pairs(ours, theirs) if paired else _welch(ours, theirs)
    reach = float(stats.t.ppf((1 + confidence) / 2, degrees)) * error if error > 0 else math.nan
    joint = ours.size + theirs.size - 2
    squares = (ours.size - 1) * ours.var(ddof=1) + (theirs.size - 1) * theirs.var(ddof=1)
    pooled = unless_rounding(math.sqrt(squares / joint), ours, theirs)
    d = mean / pooled * (1 - 3 / (4 * joint - 1)) if pooled > 0 else math.nan
    superiority = _superiority(ours, theirs)
    superiority = 1 - superiority if minimize else superiority
    return Difference(mean, mean - reach, mean + reach, d, superiority, confidence)


def _superiority(a: Floats, b: Floats) -> float:
    """P(A > B) + P(A = B) / 2 over all pairs, by ranks: tens of thousands of scores have too many pairs."""
    ours, theirs = tied(a, b)
    ordered = np.sort(theirs)
    below, upto = (np.searchsorted(ordered, ours, side=side) for side in ("left", "right"))
    return float((below + upto).sum()) / (2 * ours.size * theirs.size)


def score_tests(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, paired: bool = False, permutations: int = PERMUTATIONS
) -> pd.DataFrame:
    """Every test of the module for two lists of scores: a row each, TEST_COLUMNS.

    a: [n], b: [m], finite, at least 2 each; paired: a_i and b_i have the same seed. p: two-sided; least_p: the smallest
    p-value that these numbers of seeds can give (0: any); method: how p was found, or why it is NaN.
    """
    ours, theirs = _checked(a, b, paired)
    names = PAIRED if paired else UNPAIRED
    rows = [(name, *_run(name, ours, theirs, rng, permutations)) for name in names]
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def compare_scores(
    methods: Mapping[str, ArrayLike],
    rng: np.random.Generator,
    test: str = "permutation",
    confidence: float = 0.95,
    minimize: bool = False,
    permutations: int = PERMUTATIONS,
    bootstrap: int = BOOTSTRAP,
) -> pd.DataFrame:
    """Every pair of methods: difference, effect sizes, almost-stochastic order, and one test corrected over all pairs.

    methods: name -> finite scores over seeds; test: one of UNPAIRED or PAIRED (then all must be in the same order of
    seeds). A row per pair, PAIR_COLUMNS: difference with its t interval (each for itself), d, superiority as
    `score_difference`; epsilon_min of A above B and of B above A (as for unpaired scores); p, p_holm, p_bonferroni:
    NaN where the test is not defined, which counts in the corrections as 1.
    """
    if test not in UNPAIRED + PAIRED:
        known = ", ".join(UNPAIRED + PAIRED)
        raise ValueError(f"unknown test '{test}'{did_you_mean(test, UNPAIRED + PAIRED)} (known: {known})")
    if len(methods) < 2:
        raise ValueError("a comparison needs at least two methods")
    paired, rows = test in PAIRED, []
    for (name_a, a), (name_b, b) in itertools.combinations(methods.items(), 2):
        ours, theirs = _checked(a, b, paired)
        found = score_difference(ours, theirs, paired, confidence, minimize)
        order = [
            almost_stochastic_order(x, y, rng, confidence, bootstrap, minimize).epsilon_min
            for x, y in ((ours, theirs), (theirs, ours))
        ]
        p = _run(test, ours, theirs, rng, permutations)[1]
        facts = (found.mean, found.lower, found.upper, found.d, found.superiority)
        rows.append((name_a, name_b, ours.size, theirs.size, *facts, *order, p, math.nan, math.nan, test))
    table = pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
    known_p = table["p"].notna()
    # A pair whose test is not defined counts as one all the same: whether it is depends on the scores.
    counted = table["p"].fillna(1.0).to_numpy()
    table.loc[known_p, "p_holm"] = holm(counted)[known_p]
    table.loc[known_p, "p_bonferroni"] = bonferroni(counted)[known_p]
    return table


def bonferroni(p: ArrayLike) -> Floats:
    """min(1, m p) for each of m p-values, in the order given. Holm's are never larger and hold as generally."""
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be a list of numbers from 0 to 1")
    return np.minimum(1.0, values * values.size)


def _run(
    name: str, a: Floats, b: Floats, rng: np.random.Generator, permutations: int
) -> tuple[float, float, float, str]:
    """statistic, p, least_p, method."""
    if name in ("welch", "paired_t"):
        return _t(a, b, paired=name == "paired_t")
    if name in ("permutation", "sign_flip"):
        return _resampled(a, b, rng, permutations, paired=name == "sign_flip")
    if name == "wilcoxon":
        return _wilcoxon(tied(difference(a, b), size=size_of(a, b))[0])
    ranked = {"mann_whitney": _mann_whitney, "brunner_munzel": _brunner_munzel}
    return ranked[name](*tied(a, b))


def _t(a: Floats, b: Floats, paired: bool) -> tuple[float, float, float, str]:
    error, degrees = _of_pairs(a, b) if paired else _welch(a, b)
    if error == 0:
        return math.nan, math.nan, 0.0, "not defined: the scores do not vary"
    t = float(a.mean() - b.mean()) / error
    return t, 2 * float(stats.t.sf(abs(t), degrees)), 0.0, f"t with {degrees:.3g} degrees of freedom"


def _of_pairs(a: Floats, b: Floats) -> tuple[float, float]:
    """Standard error of the mean difference, and its degrees of freedom."""
    return unless_rounding(float((a - b).std(ddof=1)), a, b) / math.sqrt(a.size), a.size - 1.0


def _welch(a: Floats, b: Floats) -> tuple[float, float]:
    """Standard error of the difference of means, and Welch's degrees of freedom."""
    parts = np.array([unless_rounding(float(x.std(ddof=1)), a, b) ** 2 / x.size for x in (a, b)])
    total = float(parts.sum())
    if total == 0:
        return 0.0, math.nan
    shares = parts / total
    return math.sqrt(total), 1 / float((shares**2 / np.array([a.size - 1, b.size - 1])).sum())


def _mann_whitney(a: Floats, b: Floats) -> tuple[float, float, float, str]:
    pooled = np.concatenate((a, b))
    if pooled.min() == pooled.max():
        return a.size * b.size / 2, 1.0, 1.0, "all scores are equal"
    ties = np.unique(pooled).size < pooled.size
    exact = not ties and a.size * b.size <= EXACT
    found = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact" if exact else "asymptotic")
    least = 2 / math.comb(pooled.size, a.size) if exact else 0.0
    return float(found.statistic), float(found.pvalue), least, "exact" if exact else f"normal{', ties' * ties}"


def _brunner_munzel(a: Floats, b: Floats) -> tuple[float, float, float, str]:
    if a.max() < b.min() or b.max() < a.min():
        return math.nan, math.nan, 0.0, "not defined: the samples do not overlap"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = stats.brunnermunzel(b, a, alternative="two-sided")
    if not math.isfinite(found.pvalue):
        return math.nan, math.nan, 0.0, "not defined: the ranks do not vary"
    few = ", fewer than 10 scores: rough" if min(a.size, b.size) < 10 else ""
    return float(found.statistic), float(found.pvalue), 0.0, "t" + few


def _wilcoxon(differences: Floats) -> tuple[float, float, float, str]:
    if not differences.any():
        return math.nan, 1.0, 1.0, "all differences are 0"
    ties = np.unique(np.abs(differences)).size < differences.size or bool((differences == 0).any())
    exact = not ties and differences.size <= 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few values, which `method` says
        found = stats.wilcoxon(differences, method="exact" if exact else "approx", correction=not exact)
    least = 2.0 ** (1 - differences.size) if exact else 0.0
    return float(found.statistic), float(found.pvalue), least, "exact" if exact else "normal, ties or zeros"


def _resampled(
    a: Floats, b: Floats, rng: np.random.Generator, permutations: int, paired: bool
) -> tuple[float, float, float, str]:
    """By the sum of A's scores, or of the signed differences: what is larger in them is larger in the mean."""
    if permutations < 1:
        raise ValueError("at least one permutation is needed")
    if paired:
        values, ways = a - b, 2**a.size
        observed = float(values.sum())
    else:
        values = np.concatenate((a, b))
        values = values - values.mean()
        ways, observed = math.comb(values.size, a.size), float(values[: a.size].sum())
    exact = ways <= EXACT
    chosen = _choices(values.size, None if paired else a.size, exact, permutations, rng)
    bound = abs(observed) - ROUNDING * float(np.abs(a).sum() + np.abs(b).sum())
    extreme, seen = 0, 0
    for masks in chosen:
        sums = masks @ values  # of those chosen; of signed differences, less the sum of the others
        sums = 2 * sums - observed if paired else sums
        extreme += int((np.abs(sums) >= bound).sum())
        seen += len(masks)
    p = extreme / seen if exact else (1 + extreme) / (1 + seen)
    symmetric = paired or a.size == b.size
    least = (2 if symmetric else 1) / ways if exact else 1 / (1 + seen)
    return float(a.mean() - b.mean()), p, least, f"{'exact' if exact else 'random'}, {seen} ways"


def _choices(
    total: int, chosen: int | None, exact: bool, number: int, rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """[ways, total] masks: `chosen` of `total`, or any number (None)."""
    if exact and chosen is None:
        yield (np.arange(2**total)[:, None] >> np.arange(total) & 1).astype(bool)
    elif exact:
        ways = np.array(list(itertools.combinations(range(total), chosen or 0)), dtype=np.int64)
        masks = np.zeros((len(ways), total), dtype=bool)
        np.put_along_axis(masks, ways, True, axis=1)
        yield masks
    else:
        rows = max(1, _CHUNK // total)
        for start in range(0, number, rows):
            count = min(rows, number - start)
            if chosen is None:
                yield rng.random((count, total)) < 0.5
            else:
                yield rng.permuted(np.tile(np.arange(total) < chosen, (count, 1)), axis=1)


def _checked(a: ArrayLike, b: ArrayLike, paired: bool) -> tuple[Floats, Floats]:
    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    for values in (ours, theirs):
        if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
            raise ValueError("scores must be lists of at least two numbers, all of them finite")
    if paired and ours.size != theirs.size:
        raise ValueError(f"paired scores must be as many of each, received {ours.size} and {theirs.size}")
    return ours, theirs
