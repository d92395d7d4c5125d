"""How far a budget lasts: the exact distribution of the best score among the trials it pays for.

Trials come one after the other, each with a cost and a rank (0: it crashed and scores nothing; 1 .. Y: its score, worst
first), until the next one no longer fits. With S_k the cost of the first k, call a trial good if its rank is at most y.
The best in hand is of rank above y exactly if the first trial that is not good still fits, so

    P(rank > y) = sum_{k >= 0} sum_{bad j} P(the first k trials are good, the next is j, S_k + c_j <= b)
                = sum_{bad j} p_j sum_{s <= b - c_j} M_y(s),

where M_y(s) is the measure of the cost s of k good trials, summed over k.

    with replacement     p_j = 1/N, and M_y solves the renewal equation M_y(s) = 1[s = 0] + sum_{good i} M_y(s - c_i)/N.
                         (Equivalently P(rank <= y within b) = P(c > b) + sum_{good i} P(rank <= y within b - c_i)/N.)
    without replacement  M_y(s), p_j in one: sum_k A_k(s) / (N - k), where A_k(s) = P(the first k of a random order are
                         good and cost s) grows trial by trial, A_{k+1}(s + c) += A_k(s) (k + 1)/(N - k).

Both need costs that are whole multiples of one unit, the lattice, and run in O(Y C b) and O(N K b) steps, with b the
largest budget in units, C the number of distinct costs and K how many trials fit at most. All terms are positive, so
nothing cancels. For a few trials of any costs, `of_subsets` sums over all sets that may be the ones that were paid for.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from greenexp.analysis.numbers.rounding import COST_ROUNDING, raised
from greenexp.records.arrays import Floats

Integers = NDArray[np.int64]

FEW = 14
"""Trials up to which all 2^N sets are summed over."""
MOST_STEPS = 3e8
"""Multiplications an exact distribution may take: a second or so. Beyond, searches are simulated."""
_MOST_CELLS = 1e7
_PER_STEP = 3_000
"""Multiplications in the time of one step of a loop: what counts where the steps are many and the trials few."""
_DECIMALS = 6
_PARTS = 12


def lattice_of(costs: Floats) -> float:
    """The largest unit of which all `costs` are whole multiples, NaN if none is found; costs: [N], > 0.

    Looked for among multiples of 10^-6 .. 1 and among whole parts, up to a twelfth, of the smallest cost.
    """
    for base in (*(10.0**-k for k in range(_DECIMALS + 1)), *(float(costs.min()) / k for k in range(1, _PARTS + 1))):
        multiples = costs / base
        whole = np.rint(multiples)
        if (
            multiples.max() < 2**53
            and (np.abs(multiples - whole) <= COST_ROUNDING * multiples).all()
            and whole.min() >= 1
        ):
            return float(np.gcd.reduce(whole.astype(np.int64))) * base
    return math.nan


def steps_of(amounts: Floats, lattice: float) -> Integers:
    """How many whole units of `lattice` are in each amount, a hair short of one counting as one."""
    return np.floor(raised(amounts / lattice)).astype(np.int64)


def feasible(ranks: Integers, steps: Integers, longest: int, replacement: bool, most_steps: float = MOST_STEPS) -> bool:
    """Whether the lattice computation is within `most_steps` and the memory that is reasonable."""
    if replacement:
        classes = int(ranks.max()) + 1
        per_step = classes * np.unique(steps).size + _PER_STEP
        return (longest + 1) * classes <= _MOST_CELLS and (longest + 1) * per_step <= most_steps
    fits = min(ranks.size, longest // int(steps.min())) + 1
    return fits * (longest + 1) <= _MOST_CELLS and ranks.size * fits * (longest + 1) <= most_steps


def on_lattice(ranks: Integers, steps: Integers, limits: Integers, replacement: bool) -> Floats:
    """Probability of each rank of the best in hand, [B, Y + 1]; see the module.

    ranks, steps: [N], of each trial, steps its cost >= 1 in units; limits: [B], budgets in units
    """
    beyond = (_beyond_with if replacement else _beyond_without)(ranks, steps, limits)
    before = np.concatenate((np.ones((limits.size, 1)), beyond[:, :-1]), axis=1)
    return np.clip(before - beyond, 0.0, 1.0)


def _beyond_with(ranks: Integers, steps: Integers, limits: Integers) -> Floats:
    """P(rank > y), [B, Y + 1], for draws with replacement."""
    prices, place = np.unique(steps, return_inverse=True)
    table = np.zeros((prices.size, int(ranks.max()) + 1))
    np.add.at(table, (place, ranks), 1 / ranks.size)
    good = np.cumsum(table, axis=1)
    bad = np.concatenate((np.cumsum(table[:, :0:-1], axis=1)[:, ::-1], np.zeros((prices.size, 1))), axis=1)
    longest = int(limits.max(initial=0))
    measure = np.zeros((longest + 1, table.shape[1]))
    measure[0] = 1.0
    for paid in range(1, longest + 1):
        within = int(np.searchsorted(prices, paid, side="right"))
        measure[paid] = (good[:within] * measure[paid - prices[:within]]).sum(axis=0)
    return _first_bad(np.cumsum(measure, axis=0), bad, prices, limits)


def _first_bad(upto: Floats, bad: Floats, prices: Integers, limits: Integers) -> Floats:
    """sum_c bad_c upto(limit - c) for each limit; upto: [s, Y + 1], bad: [C, Y + 1]."""
    beyond = np.zeros((limits.size, bad.shape[1]))
    for row, limit in enumerate(limits):
        within = int(np.searchsorted(prices, limit, side="right"))
        beyond[row] = (bad[:within] * upto[limit - prices[:within]]).sum(axis=0)
    return beyond


def _beyond_without(ranks: Integers, steps: Integers, limits: Integers) -> Floats:
    """P(rank > y), [B, Y + 1], for random orders of the trials."""
    total, classes = ranks.size, int(ranks.max()) + 1
    prices, place = np.unique(steps, return_inverse=True)
    left = np.bincount(place, minlength=prices.size).astype(np.float64)
    longest = int(limits.max(initial=0))
    fits = min(total, longest // int(prices[0]))
    counts = np.arange(fits + 1)
    grows = (counts[1:] / (total - counts[:-1]))[:, None]
    next_one = np.divide(1.0, total - counts, out=np.zeros(fits + 1), where=counts < total)
    paid = np.zeros((fits + 1, longest + 1))
    paid[0, 0] = 1.0
    beyond = np.zeros((limits.size, classes))
    order = np.argsort(ranks, kind="stable")
    ends = np.cumsum(np.bincount(ranks, minlength=classes))
    room = limits[:, None] - prices[None, :]  # [B, C], what may have been paid before a trial of that price
    begin = 0
    for rank, end in enumerate(ends):
        for trial in order[begin:end]:
            cost = int(steps[trial])
            left[place[trial]] -= 1
            if cost <= longest:
                paid[1:, cost:] += paid[:-1, : longest + 1 - cost] * grows
        begin = int(end)
        upto = np.cumsum(next_one @ paid)
        beyond[:, rank] = np.where(room >= 0, upto[np.maximum(room, 0)], 0.0) @ left
    return beyond


def of_subsets(ranks: Integers, costs: Floats, budgets: Floats) -> Floats:
    """As `on_lattice` without replacement, for costs of any kind and at most FEW trials.

    A set of k trials is the one that was paid for if it comes first, with probability 1/C(N, k), fits, and is followed
    by one of its N - k others that no longer fits (or is all).
    """
    total = ranks.size
    sets = np.arange(1 << total)
    paid, best, size = np.zeros(sets.size), np.zeros(sets.size, dtype=np.int64), np.zeros(sets.size, dtype=np.int64)
    for trial in range(total):
        inside = (sets >> trial & 1).astype(bool)
        paid[inside] += costs[trial]
        best[inside] = np.maximum(best[inside], ranks[trial])
        size[inside] += 1
    first = np.array([float(Fraction(1, math.comb(total, k))) for k in range(total + 1)])[size]
    found = np.zeros((budgets.size, int(ranks.max()) + 1))
    for row, budget in enumerate(raised(budgets)):
        blocked = np.zeros(sets.size)
        for trial in range(total):
            blocked += ((sets >> trial & 1) == 0) & (paid + costs[trial] > budget)
        ends = np.where(size == total, 1.0, blocked / np.maximum(total - size, 1)) * (paid <= budget)
        found[row] = np.bincount(best, weights=first * ends, minlength=found.shape[1])
    return found


def simulated(
    ranks: Integers, costs: Floats, budgets: Floats, replacement: bool, orders: int, rng: np.random.Generator
) -> Floats:
    """As `on_lattice`, estimated from `orders` random searches."""
    limits = raised(budgets)
    longest, rows = float(limits.max(initial=0.0)), np.arange(limits.size)
    found = np.zeros((limits.size, int(ranks.max()) + 1))
    usual = math.ceil(1.2 * longest / float(costs.mean())) + 8
    for _ in range(orders):
        if replacement:
            order = rng.integers(ranks.size, size=usual)
            while costs[order].sum() <= longest:
                # Twice as many each time: where one trial cost nearly all, it takes many to come to it.
                order = np.concatenate((order, rng.integers(ranks.size, size=order.size)))
        else:
            order = rng.permutation(ranks.size)
        in_hand = np.concatenate(([0], np.maximum.accumulate(ranks[order])))
        found[rows, in_hand[np.searchsorted(np.cumsum(costs[order]), limits, side="right")]] += 1
    return found / orders
