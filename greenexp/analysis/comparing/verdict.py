"""What follows from a comparison of groups, in sentences: who leads, what tests tell apart, where bands part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import pandas as pd

from greenexp.analysis.comparing.compare import percent
from greenexp.analysis.numbers.budgets import amount_text
from greenexp.analysis.numbers.trial_numbers import counted

MOST_RUNS = 4
"""Runs of leaders that a sentence lists."""
MOST_BETTER = 6
"""Groups that a sentence says are better than others."""
Better = tuple[str, str, str]
"""The better group, the other one, and where."""


def leader_sentence(leaders: pd.DataFrame, how: str, at: str) -> str:
    """Which group has the best estimate at which budgets. at: what budgets are called, `n` or the cost."""
    runs = leaders[leaders["best"] != "none"].to_dict("records")
    if not runs:
        return f"No group has an estimate {how}."
    parts = [f"{run['best']} for {_span(run['first'], run['last'], at)}" for run in runs[:MOST_RUNS]]
    more = len(runs) - MOST_RUNS
    rest = f"; then it changes {counted(more, 'more time')} (table leaders)" if more > 0 else ""
    return f"Best estimate {how}: {_and(parts)}{rest}."


def told_apart_sentence(pairs: pd.DataFrame, tested: Sequence[float], level: float) -> str:
    """Which groups the tests tell apart, at which budgets, and in which direction.

    pairs: a, b, budget, probability_better, p_holm; tested: the budgets, ascending
    """
    over = f"p ≤ {level:g} after Holm's correction over {counted(len(pairs), 'test')}"
    clear = pairs[pairs["p_holm"] <= level]
    if clear.empty:
        return f"No permutation test finds two groups to differ ({over})."
    better: list[Better] = []
    for (a, b), rows in clear.groupby(["a", "b"], sort=False):
        for of_a in (True, False):
            budgets = [row["budget"] for row in rows.to_dict("records") if (row["probability_better"] >= 0.5) == of_a]
            if budgets:
                better.append((str(a if of_a else b), str(b if of_a else a), _budgets(budgets, tested)))
    told = clear.groupby(["a", "b"]).ngroups
    pairs_in_all = pairs.groupby(["a", "b"]).ngroups
    return (
        f"Permutation tests tell {told} of {counted(pairs_in_all, 'pair')} apart ({over}). More likely to have the "
        f"better best of n trials: {_listed(better)}."
    )


def band_sentences(regions: pd.DataFrame, confidences: Iterable[float], last: int, statistic: str) -> list[str]:
    """Where the bands of two curves do not overlap, for each confidence, the greatest first."""
    sentences, never = [], []
    for confidence in sorted(confidences, reverse=True):
        rows = regions[regions["confidence"] == float(percent(confidence))]
        if rows.empty:
            never.append(f"{percent(confidence)} %")
            continue
        better = []
        for row in rows.to_dict("records"):
            names = str(row["pair"]).removeprefix(f"{row['better']}, ").removesuffix(f", {row['better']}")
            better.append((str(row["better"]), names, _span(row["first"], row["last"], "n")))
        sentences.append(
            f"The {percent(confidence)} % bands do not overlap, so that the {statistic} is better: {_listed(better)}."
        )
    if never:
        sentences.append(f"The {' and '.join(never)} bands of all pairs overlap at every n up to {last}.")
    return sentences


def _listed(better: Sequence[Better]) -> str:
    """`lstm than cnn (n = 1 to 50) and boe (n = 2); boe than cnn (n = 5 to 50)`, a part per better group."""
    parts = []
    ordered = sorted(better, key=lambda one: [name for name, _, _ in better].index(one[0]))
    for name, others in groupby(ordered, key=lambda one: one[0]):
        parts.append(f"{name} than {_and([f'{other} ({where})' for _, other, where in others])}")
    more = len(parts) - MOST_BETTER
    return "; ".join(parts[:MOST_BETTER]) + (f"; and {more} more (table pairs)" if more > 0 else "")


def _budgets(budgets: Sequence[float], tested: Sequence[float]) -> str:
    """`n = 2 to 50` where these are neighbours among the tested ones, else all of them."""
    places = [list(tested).index(budget) for budget in budgets]
    if len(places) > 1 and places[-1] - places[0] == len(places) - 1:
        return _span(budgets[0], budgets[-1], "n")
    return f"n = {', '.join(f'{budget:g}' for budget in budgets)}"


def _span(first: float, last: float, at: str) -> str:
    """`n = 2 to 50`, `energy_j = 1.8 MJ to 3.6 MJ`; at: what budgets are called."""
    ends = " to ".join(dict.fromkeys(amount_text(at, each) for each in (first, last)))
    return f"{at} = {ends}"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
