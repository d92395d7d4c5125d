"""Groups at equal numbers of trials: curves with their bands, and the tests of every pair."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.comparing.compare import (
    BandedCurve,
    banded_curve,
    crossings,
    difference_table,
    percent,
    regions,
)
from greenexp.analysis.comparing.options import ComparisonOptions
from greenexp.analysis.comparing.pairs import compared_groups, named_pair, runs_of_leaders, top_two
from greenexp.analysis.comparing.pairwise import PERMUTATIONS, compare_pairwise, enough_permutations
from greenexp.analysis.comparing.verdict import band_sentences, leader_sentence, told_apart_sentence
from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.draft import Draft
from greenexp.analysis.curves.tuning_curve import Estimator
from greenexp.analysis.numbers.budgets import round_numbers, within_reach
from greenexp.analysis.numbers.rounding import tied
from greenexp.analysis.numbers.trial_numbers import counted, every_number, whole
from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.records.scores import ScoreGroup, Scores

Integers = NDArray[np.int64]


def budgets_of_tests(fewest: int, budgets: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """The numbers of trials at which pairs are tested: the one rule for every p-value over trials.

    fewest: trials of the smallest group; budgets: those that were named, which are tested up to `fewest`. If none were,
    the round numbers up to half of `fewest`: beyond, the single best score of a group decides nearly alone, and P is 0
    or 1 however the scores are dealt out.
    """
    if budgets is not None:
        return tuple(n for n in budgets if n <= fewest)
    half = max(1, fewest // 2)
    return tuple(int(n) for n in round_numbers(half + 1) if n <= half)


def compare_trials(groups: Mapping[str, ScoreGroup], scores: Scores, options: ComparisonOptions, draft: Draft) -> None:
    """Fill `draft` with the comparison; InputError if no group has as many scores as the smallest budget."""
    values = dict(zip(groups, tied(*(group.scored for group in groups.values())), strict=True))
    fewest = min(each.size for each in values.values())
    named = None if options.budgets is None else whole(options.budgets)
    tested = budgets_of_tests(fewest, named)
    beyond = within_reach(named or (), fewest)[1]
    if not tested:
        raise InputError(f"budgets: the smallest group has {counted(fewest, 'score')}")
    if beyond:
        draft.notes.append(f"the smallest group has {counted(fewest, 'score')}; budgets beyond are left out: {beyond}")
    for name, each in values.items():
        ties = each.size - np.unique(each).size
        if ties:
            draft.notes.append(f"{name}: {ties} of {each.size} scores repeat another score")
    looked = every_number(fewest, tested)
    curves = {
        name: banded_curve(
            each,
            looked,
            options.estimator,
            options.confidences,
            options.band,
            options.support or NO_SUPPORT,
            scores.minimize,
        )
        for name, each in values.items()
    }
    _tables(values, curves, looked, tested, scores, options, draft)


def _tables(
    values: Mapping[str, Floats],
    curves: Mapping[str, BandedCurve],
    looked: Integers,
    tested: tuple[int, ...],
    scores: Scores,
    options: ComparisonOptions,
    draft: Draft,
) -> None:
    """leaders, pairs, regions, crossings, curves and difference, with the verdict and what must be known."""
    minimize = scores.minimize
    estimates = np.array([curve.estimate for curve in curves.values()])
    leaders = runs_of_leaders(estimates, list(curves), looked.astype(np.float64), minimize)
    draft.verdict.append(leader_sentence(leaders, f"by the {options.statistic} of n trials", "n"))
    kept = compared_groups(values, minimize, draft)
    differences = {
        (a, b): difference_table(curves[a], curves[b], minimize).assign(budget=looked)
        for a, b in itertools.combinations(kept, 2)
    }
    permutations = enough_permutations([each.size for each in kept.values()], len(tested), options.level)
    pairs = _pairs(differences, kept, tested, permutations, options, minimize)
    draft.verdict.append(told_apart_sentence(pairs, tested, options.level))
    draft.add("leaders", leaders)
    draft.add("pairs", pairs)
    if options.banded:
        parts = pd.concat(
            [named_pair(regions(frame), a, b) for (a, b), frame in differences.items()], ignore_index=True
        )
        draft.add("regions", parts)
        draft.verdict += band_sentences(parts, options.confidences, int(looked[-1]), options.statistic)
    for (a, b), frame in differences.items():
        draft.add("crossings", named_pair(crossings(frame, minimize), a, b))
    for name, curve in curves.items():
        draft.add("curves", pd.DataFrame({"by": name, "budget": looked, "estimate": curve.estimate}))
    first, second = top_two(kept, minimize)
    difference = difference_table(curves[first], curves[second], minimize).assign(a=first, b=second, budget=looked)
    draft.add("difference", difference[["a", "b", "budget", *difference.columns.drop(["a", "b", "budget"])]])
    draft.notes += [*_notes(len(pairs), options), *_few_permutations(permutations, len(pairs))]
    draft.titles |= _titles(options, (first, second))


def _pairs(
    differences: Mapping[tuple[str, str], pd.DataFrame],
    values: Mapping[str, Floats],
    tested: tuple[int, ...],
    permutations: int,
    options: ComparisonOptions,
    minimize: bool,
) -> pd.DataFrame:
    """A row per pair and tested budget: curves, difference with its bands, P(better), and tests."""
    rng = np.random.default_rng(options.seed)
    tests = compare_pairwise(values, tested, rng, minimize, permutations)
    weights: Estimator = "biased" if options.estimator == "biased" else "unbiased"
    frames = []
    for (a, b), frame in differences.items():
        rows = frame[frame["budget"].isin(tested)].assign(a=a, b=b)
        better = [probability_better(values[a], values[b], n, n, weights, minimize) for n in tested]
        frames.append(rows.assign(probability_better=better))
    rows = pd.concat(frames, ignore_index=True)
    rows = rows.merge(tests[["a", "b", "budget", "p", "p_holm"]], on=["a", "b", "budget"], how="left")
    names = [percent(confidence) for confidence in options.confidences] if options.banded else []
    for name in names:
        apart = rows[f"apart_{name}"]
        rows[f"apart_{name}"] = rows["a"].where(apart == "a", rows["b"].where(apart == "b", ""))
    bands = [f"{side}_{name}" for name in names for side in ("lower", "upper", "apart")]
    first = ["a", "b", "budget", "curve_a", "curve_b", "difference"]
    return rows[[*first, *bands, "probability_better", "p", "p_holm"]]


def _notes(tests: int, options: ComparisonOptions) -> list[str]:
    p = (
        "P (probability_better) is the probability that the best of n trials of a is better than that of n trials of "
        "b, a tie counting half; p is of the hypothesis that a and b draw from one distribution, by permuting scores; "
        f"p_holm is corrected over all {counted(tests, 'row')}"
    )
    tested = (
        "tested at round numbers up to half the trials of the smallest group: beyond, the single best score decides "
        "nearly alone"
    )
    bands = (
        "bands of a difference hold for one pair at a time, at all its budgets together; they are made of the band of "
        "each group at half the error"
    )
    none = "no bands: a band of an expected best needs a support ; medians need none"
    return [p, *([tested] if options.budgets is None else []), bands if options.banded else none]


def _few_permutations(permutations: int, tests: int) -> list[str]:
    """Said where there are so many scores that fewer permutations are drawn than usually."""
    if permutations >= PERMUTATIONS:
        return []
    return [
        (
            f"there are so many scores that p is of {permutations} random permutations, not of {PERMUTATIONS}: no p is "
            f"below {1 / (1 + permutations):.2g}, and no p_holm below {min(1.0, tests / (1 + permutations)):.2g}"
        )
    ]


def _titles(options: ComparisonOptions, pair: tuple[str, str]) -> dict[str, str]:
    return {
        "leaders": f"The group with the best estimate ({options.statistic} of n trials), at every n looked at",
        "pairs": f"Pairs of groups at equal numbers of trials: difference of the {options.statistic} (a - b), "
        "P(a better), and tests",
        "regions": "Where the bands of two groups do not overlap: the better one, at all these numbers of trials",
        "crossings": "Where the estimates change places",
        "curves": f"{options.statistic[0].upper()}{options.statistic[1:]} of n trials, group by group",
        "difference": f"{pair[0]} - {pair[1]}, the two groups with the best scores, at every n looked at",
    }
