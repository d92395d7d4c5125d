"""Several methods at several budgets, pair by pair, with p-values that survive being many.

At budget n, the test statistic of a pair is T = |P(best of n of A beats best of n of B) - 1/2|, P by the weights of U
(`analysis.comparing.better`): at n = 1 it is the Mann-Whitney statistic. Under the hypothesis that A and B draw their
scores from one distribution, every way of dealing the N_a + N_b scores out to them was equally likely, and by symmetry
P is 1/2 on average over them; so

    p = share of the ways with T at least as large as observed                       if there are at most EXACT ways
    p = (1 + number of random ways with T at least as large) / (1 + permutations)    else (Phipson & Smyth 2010)

which is a valid p-value either way, for any N and with ties. Holm's correction (1979) runs over the whole table, all
pairs and all budgets: sorted p_(1) <= ... <= p_(m), p_holm_(i) = max_{j <= i} min(1, (m + 1 - j) p_(j)). With
probability 1 - alpha no row with p_holm <= alpha is of a pair that has the same distribution, however the tests depend
on each other.

What is rejected is that the two distributions are the same; the row's probability says which way it shows at n. Near
n = N the best score decides alone, P is 0 or 1 however the scores are dealt out, and the test rightly finds nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.curves.tuning_curve import maximum_weights
from greenexp.analysis.numbers.rounding import SHARE_ROUNDING, tied
from greenexp.records.arrays import Floats

Masks = NDArray[np.bool_]
EXACT = 20_000
"""Ways of dealing out up to which all are looked at."""
PERMUTATIONS = 4_999
LEAST_PERMUTATIONS = 999
CELLS_OF_ALL = 40_000_000
"""Scores dealt out in all random permutations of all pairs together, up to which results take a few seconds."""
PAIRWISE_COLUMNS = ("a", "b", "budget", "probability_better", "p", "p_holm", "test", "ways")
_CHUNK = 1_000_000


def compare_pairwise(
    methods: Mapping[str, ArrayLike],
    budgets: Iterable[int],
    rng: np.random.Generator,
    minimize: bool = False,
    permutations: int = PERMUTATIONS,
) -> pd.DataFrame:
    """Every pair of `methods` at every budget; see the module.

    methods: name -> finite scores, at least two methods; budgets: whole numbers of trials, from 1 to the fewest scores
    of a method; rng: deals out, where there are too many ways to look at all.
    A row per pair and budget, PAIRWISE_COLUMNS: a, b, names; budget n; probability_better, of a; p; p_holm, corrected
    over all rows; test, `exact permutation` or `permutation`; ways, how many were looked at. The p-values of a pair at
    different budgets use the same ways. Raises ValueError for anything else.
    """
    scores = {name: _checked(values, name, minimize) for name, values in methods.items()}
    sizes = [int(n) for n in budgets]
    fewest = min((values.size for values in scores.values()), default=0)
    if len(scores) < 2 or not sizes or permutations < 1:
        raise ValueError("a comparison needs at least two methods, one budget and one permutation")
    if min(sizes) < 1 or max(sizes) > fewest:
        raise ValueError(f"budgets must lie between 1 and {fewest}, the fewest scores of a method; received {sizes}")
    rows = []
    for (name_a, a), (name_b, b) in itertools.combinations(scores.items(), 2):
        exact = math.comb(a.size + b.size, a.size) <= EXACT
        found, p, ways = _tested(a, b, sizes, rng, permutations, exact)
        test = "exact permutation" if exact else "permutation"
        rows += [(name_a, name_b, n, found[k], p[k], math.nan, test, ways) for k, n in enumerate(sizes)]
    table = pd.DataFrame(rows, columns=list(PAIRWISE_COLUMNS))
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def enough_permutations(sizes: Sequence[int], budgets: int, level: float = 0.05) -> int:
    """Random permutations for tests of every pair of methods at every budget, as `compare_pairwise` makes them.

    sizes: scores of each method; budgets: how many. At least PERMUTATIONS, and enough that after Holm's correction the
    smallest p-value, 1 / (1 + permutations), can still be below `level`, with a quarter to spare; but no more than
    deal out CELLS_OF_ALL scores in all, and no fewer than LEAST_PERMUTATIONS.
    """
    tests = len(sizes) * (len(sizes) - 1) // 2 * budgets
    wanted = max(PERMUTATIONS, math.ceil(1.25 * tests / level) - 1)
    return affordable(sizes, wanted, LEAST_PERMUTATIONS)


def affordable(sizes: Sequence[int], wanted: int, least: int, cells: int = CELLS_OF_ALL) -> int:
    """`wanted` resamples of every pair of groups, or fewer where all together would take more than `cells` scores.

    sizes: scores of each group; least: never fewer than these
    """
    return max(least, min(wanted, cells // max(1, (len(sizes) - 1) * sum(sizes))))


def holm(p: ArrayLike) -> Floats:
    """Holm's corrected p-values, [m], in the order given; p: [m], in [0, 1]. ValueError for anything else."""
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be a list of numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    stepped = np.minimum(1.0, values[order] * np.arange(values.size, 0, -1))
    corrected = np.empty(values.size)
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


def _tested(
    a: Floats, b: Floats, sizes: list[int], rng: np.random.Generator, permutations: int, exact: bool
) -> tuple[Floats, Floats, int]:
    """P(A > B) and its p-value at each size, and how many ways of dealing out were looked at."""
    pooled = np.concatenate(tied(a, b))
    order = np.argsort(-pooled, kind="stable")
    group = np.cumsum(np.diff(pooled[order], prepend=math.inf) != 0) - 1  # of equal scores, of each place
    ends = np.concatenate(([0], np.cumsum(np.bincount(group))))
    observed = _probabilities((order < a.size)[None, :], group, ends, a.size, sizes)[0]
    distance = np.abs(observed - 0.5)
    extreme, ways = np.zeros(len(sizes)), 0
    dealt = _all_ways(pooled.size, a.size) if exact else _some_ways(pooled.size, a.size, permutations, rng)
    for masks in dealt:
        far = np.abs(_probabilities(masks, group, ends, a.size, sizes) - 0.5)
        extreme += (far >= distance - SHARE_ROUNDING).sum(axis=0)
        ways += len(masks)
    return observed, extreme / ways if exact else (1 + extreme) / (1 + ways), ways


def _probabilities(
    masks: Masks, group: NDArray[np.int64], ends: NDArray[np.int64], n_a: int, sizes: list[int]
) -> Floats:
    """P(A > B) at each size for each way of dealing out, [ways, sizes].

    masks: [ways, N_a + N_b], which of the scores, best first, are A's; group: [N_a + N_b], of equal scores, of each
    place; ends: of group g, places ends[g] .. ends[g + 1] - 1.
    A's j-th best score lies in a group before which there are k scores of B, and up to the end of which there are l.
    With W_k the weight of B's scores from the k-th on, it beats W_l, and half of what lies between, so that
    P(A > B) = sum_j w_j (W_k + W_l) / 2. Equal scores each get the weight of their place, which the sum makes right.
    """
    ways, total = masks.shape
    of_a = np.zeros((ways, total + 1), dtype=np.int64)
    np.cumsum(masks, axis=1, out=of_a[:, 1:])
    places = np.nonzero(masks)[1].reshape(ways, n_a)
    rows = np.arange(ways)[:, None]
    first = np.asarray(ends[group[places]], dtype=np.int64)
    last = np.asarray(ends[group[places] + 1], dtype=np.int64)
    before = first - of_a[rows, first]
    tied = ends.size < total + 1
    through = last - of_a[rows, last] if tied else before
    probabilities = np.empty((ways, len(sizes)))
    for k, n in enumerate(sizes):
        weights = maximum_weights(n_a, n)
        left = np.zeros(total - n_a + 1)  # W
        of_b = maximum_weights(total - n_a, n)
        left[: of_b.size] = np.cumsum(of_b[::-1])[::-1]
        beaten = left[before[:, : weights.size]]
        if tied:
            beaten = (beaten + left[through[:, : weights.size]]) / 2
        probabilities[:, k] = beaten @ weights
    return probabilities


def _all_ways(total: int, chosen: int) -> Iterator[Masks]:
    ways = np.array(list(itertools.combinations(range(total), chosen)), dtype=np.int64)
    masks = np.zeros((len(ways), total), dtype=bool)
    np.put_along_axis(masks, ways, True, axis=1)
    yield masks


def _some_ways(total: int, chosen: int, number: int, rng: np.random.Generator) -> Iterator[Masks]:
    rows = max(1, _CHUNK // total)
    base = np.arange(total) < chosen
    for start in range(0, number, rows):
        yield rng.permuted(np.tile(base, (min(rows, number - start), 1)), axis=1)


def _checked(scores: ArrayLike, name: str, minimize: bool) -> Floats:
    values = np.asarray(scores, dtype=np.float64) * (-1.0 if minimize else 1.0)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"the scores of {name} must be a list of at least one number, all of them finite")
    return values
