"""Of runs that somebody else logged: which group is better at which number of runs, and how sure that is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.comparing.compare import compare_at, regions
from greenexp.analysis.comparing.groups import COUNTED, GroupComparison
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.figures import Channel, banded_curve_figure
from greenexp.figures.comparison import MOST_GROUPS
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted, listed
from greenexp.report.table import Column, Table

NAME, TITLE = "pairs", "Is one group better than another?"
LEVEL = 0.05
_CONFIDENCES = ("80", "95")
_MOST_BUDGETS = 100
_MOST_NAMED = 4

Scores = dict[str, NDArray[np.float64]]


def compared_section(comparison: GroupComparison, score: str, kind: str) -> Section:
    """Pairs of groups: difference of the median best with its band, P(better), p-values after Holm.

    score: the column's name; kind: how its values are written
    """
    scores = _scores(comparison)
    if len(scores) < 2:
        said = f"There is nothing to compare: {counted(len(scores), 'group')} with a run that counts."
        return Section(NAME, TITLE, (said,), assumptions=("A comparison needs two groups with a score each.",))
    looked = {
        pair: compare_at(scores[pair[0]], scores[pair[1]], _between(comparison.shared), minimize=comparison.minimize)
        for pair in itertools.combinations(scores, 2)
    }
    tested = compare_pairwise(scores, _tested_at(comparison.shared), np.random.default_rng(0), comparison.minimize)
    pairs = _pairs(looked, tested)
    return Section(
        name=NAME,
        title=TITLE,
        headline=(*_apart(looked, comparison.shared), *_told(tested)),
        plates=_difference(looked, score, kind),
        tables=(_table(pairs, kind),),
        assumptions=_assumptions(comparison, scores, len(tested), str(tested["test"].iloc[0])),
    )


def _scores(comparison: GroupComparison) -> Scores:
    """Of the groups with the best runs."""
    counted_runs = comparison.runs[comparison.runs["outcome"] == COUNTED]
    return {
        str(name): counted_runs.loc[counted_runs["group"] == name, "score"].to_numpy(dtype=np.float64)
        for name in comparison.scored["group"].head(MOST_GROUPS)
    }


def _between(last: int) -> NDArray[np.int64]:
    """1 .. last, of many some in equal ratios, and the round numbers."""
    some = np.arange(1, last + 1) if last <= _MOST_BUDGETS else np.rint(np.geomspace(1, last, _MOST_BUDGETS))
    return np.unique(np.concatenate((some, _round_numbers(last)))).astype(np.int64)


def _tested_at(last: int) -> list[int]:
    """Round numbers up to half of `last`: beyond, the best score decides nearly alone, and P is 0 or 1 by itself."""
    return _round_numbers(max(1, last // 2))


def _round_numbers(last: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... up to `last`."""
    return [n * 10**k for k in range(len(str(last))) for n in (1, 2, 5) if n * 10**k <= last]


def _pairs(looked: dict[tuple[str, str], pd.DataFrame], tested: pd.DataFrame) -> pd.DataFrame:
    """A row per pair and round number."""
    found = [frame.assign(a=a, b=b) for (a, b), frame in looked.items()]
    frame = pd.concat(found, ignore_index=True).drop(columns=["n_a", "n_b", "probability_better"])
    for confidence in _CONFIDENCES:
        names = np.where(frame[f"apart_{confidence}"] == "a", frame["a"], frame["b"])
        frame[f"apart_{confidence}"] = np.where(frame[f"apart_{confidence}"] == "", "", names)
        sides = [f"{side}_{confidence}" for side in ("lower", "upper")]
        frame[sides] = frame[sides].where(np.isfinite(frame[sides]))
    return tested.merge(frame, on=["a", "b", "budget"])


def _apart(looked: dict[tuple[str, str], pd.DataFrame], shared: int) -> tuple[str, ...]:
    """Where the bands part."""
    said, never = [], []
    for confidence in _CONFIDENCES:
        parts = []
        for (a, b), frame in looked.items():
            found = regions(frame)
            for row in found[found["confidence"] == float(confidence)].to_dict("records"):
                better, other = (a, b) if row["better"] == "a" else (b, a)
                ends = f"n = {row['first']}" if row["first"] == row["last"] else f"n = {row['first']} to {row['last']}"
                parts.append(f"{better} than {other} for {ends}")
        if parts:
            said.append(f"Better median best, where the {confidence} % bands part: {listed(parts, _MOST_NAMED)}.")
        else:
            never.append(f"{confidence} %")
    if never:
        said.append(
            f"At no n up to {shared} do bands part at {' or '.join(never)}: by them no two groups are told apart."
        )
    return tuple(said)


def _told(tested: pd.DataFrame) -> tuple[str, ...]:
    """What the permutation tests tell apart."""
    over = f"over {counted(len(tested), 'test')}"
    clear = tested[tested["p_holm"] <= LEVEL]
    if clear.empty:
        return (f"No test finds two groups to differ (p ≤ {LEVEL} after Holm's correction {over}).",)
    parts = []
    for (a, b), rows in clear.groupby(["a", "b"], sort=False):
        row = rows.sort_values("p_holm", kind="stable").iloc[0]
        first, second = (a, b) if row["probability_better"] >= 0.5 else (b, a)
        share = max(float(row["probability_better"]), 1 - float(row["probability_better"]))
        parts.append(
            f"{first} finds something better than {second} with probability {share:.2f} at n = {row['budget']} "
            f"(p = {row['p_holm']:.2g})"
        )
    return (f"Told apart by a permutation test after Holm's correction {over}: {listed(parts, _MOST_NAMED)}.",)


def _difference(looked: dict[tuple[str, str], pd.DataFrame], score: str, kind: str) -> tuple[Plate, ...]:
    """Of the two groups with the best runs, unless nothing is bounded."""
    (a, b), frame = next(iter(looked.items()))
    sides = [f"{side}_{confidence}" for confidence in _CONFIDENCES for side in ("lower", "upper")]
    shown = frame[["budget", "curve_a", "curve_b", "difference", *sides]].copy()
    shown[sides] = shown[sides].where(np.isfinite(shown[sides]))
    if len(shown) < 2 or shown[sides].isna().all(axis=None):
        return ()
    figure = banded_curve_figure(
        "difference",
        f"Median best of {a} minus that of {b}",
        shown,
        Channel("budget", "Number of runs of each", whole=True),
        Channel("difference", f"Difference of the median best {score}"),
        _CONFIDENCES,
        zero=True,
    )
    bounds = [
        Column(f"{side}_{confidence}", f"{confidence} %, {word}", kind, missing="open")
        for confidence in _CONFIDENCES
        for side, word in (("lower", "from"), ("upper", "to"))
    ]
    columns = (
        Column("budget", "Runs of each", "count"),
        Column("curve_a", f"Median best, {a}", kind),
        Column("curve_b", f"Median best, {b}", kind),
        Column("difference", "Difference", kind),
        *bounds,
    )
    note = "Each band holds at all n together. open: the band does not end there."
    return (Plate(figure, Table(figure.name, figure.title, shown, columns, note)),)


def _table(pairs: pd.DataFrame, kind: str) -> Table:
    columns: list[Any] = [
        Column("a", "A"),
        Column("b", "B"),
        Column("budget", "n", "count"),
        Column("difference", "A - B, median best", kind),
        Column("lower_95", "95 %, from", kind, missing="open"),
        Column("upper_95", "95 %, to", kind, missing="open"),
        Column("apart_95", "Better (95 %)"),
        Column("apart_80", "Better (80 %)"),
        Column("probability_better", "P(A finds better)", "score"),
        Column("p", "p", "number"),
        Column("p_holm", "p, Holm", "number"),
    ]
    note = (
        "P: probability that the best of n runs of A is better than that of n runs of B, a tie half. Bands of a pair "
        "hold at all n together; p after Holm's correction over all rows."
    )
    return Table("pairs", "Pairs of groups", pairs, tuple(columns), note)


def _assumptions(comparison: GroupComparison, scores: Scores, tests: int, test: str) -> tuple[str, ...]:
    notes = [
        (
            "Presumed, as for the curves: within a group, runs are independent draws of one random search, and "
            f"groups are independent. n ends at {comparison.shared}, the runs of the smallest group; runs are counted, "
            "whatever they cost."
        ),
        (
            "Band of a difference: from the exact band of each group (equal local levels) at half the error each, so "
            "that it holds at all n together for one pair. With several pairs, each pair's band holds by itself."
        ),
        (
            f"Tests: {test}, on how far P is from one half; that two groups have the same distribution is what is "
            f"rejected. Holm's correction covers all {counted(tests, 'row')}. Tested up to half the runs of the "
            "smallest group: beyond, one best score decides nearly alone."
        ),
    ]
    tied = {name: values.size - np.unique(values).size for name, values in scores.items()}
    ties = [f"{count} of {scores[name].size} of {name}" for name, count in tied.items() if count]
    if ties:
        notes.append(f"Scores that repeat another: {listed(ties, _MOST_NAMED)}; bands are then wider than need be.")
    left = len(comparison.scored) - len(scores)
    if left:
        notes.append(f"Compared: the {len(scores)} groups with the best runs; {counted(left, 'group')} left out.")
    return tuple(notes)
