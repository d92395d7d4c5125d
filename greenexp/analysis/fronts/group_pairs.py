"""Pairs of groups: which group's front is better, by how much, and how sure that is.

`A Pareto-improves on B` is claimed only where A's front covers B's, and not the reverse, in every pair of trials, the
trials are independent, and exchanging the labels of the trials gives a small p-value after Holm's correction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.fronts.attainment import attainment_probability
from greenexp.analysis.fronts.front_improvement import ParetoImprovement, pareto_improvement, score_at_equal_cost
from greenexp.analysis.fronts.options import FrontOptions
from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.analysis.fronts.point_scores import Reference, complete, own_fronts, values_of
from greenexp.analysis.numbers.budgets import amounts
from greenexp.records.arrays import Floats
from greenexp.records.scores import GROUP, TRIAL, Scores

MOST_PAIRS = 250_000
"""Pairs of trials beyond which a pair of groups is not compared trial by trial."""
COSTS = 6
"""Costs at which the best scores are compared."""
EQUAL_COST = ("a", "b", "cost", "score_a", "score_b", "difference", "lower", "upper", "p", "p_holm")
Fronts = dict[Any, Floats]
"""Trial -> the points of its own front."""


@dataclass(slots=True)
class FrontComparison:
    """improvement: a row per pair of groups; equal_cost: rows per pair and cost; claims: a sentence per pair."""

    improvement: pd.DataFrame
    equal_cost: pd.DataFrame
    claims: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    refusal: str = ""


def compare_fronts(scores: Scores, reference: Reference, options: FrontOptions) -> FrontComparison:
    """Every pair of groups, over their trials.

    Parameters
    ----------
    scores : Scores, required
        Points of score and cost, by group and trial.
    reference : (float, float), required
        Cost and score of the worst corner of hypervolumes.
    options : FrontOptions, required
        `confidence` and `seed` count.

    Returns
    -------
    FrontComparison
        Shares of one front that the other covers, improvement over trials with its interval and p-value, best scores at
        equal cost. A refusal where there are not two groups with a point.

    """
    comparison = FrontComparison(pd.DataFrame(), pd.DataFrame(columns=list(EQUAL_COST)))
    groups = {str(name): _fronts(scores, rows) for name, rows in scores.frame.groupby(GROUP, sort=False)}
    for name in [name for name, fronts in groups.items() if not fronts]:
        comparison.notes.append(f"{name} has no point at all, and is not compared")
        del groups[name]
    if len(groups) < 2:
        comparison.refusal = f"a comparison needs two groups with a point, and '{scores.by}' gives {len(groups)}"
        return comparison
    rng, rows, levels = np.random.default_rng(options.seed), [], []
    for a, b in itertools.combinations(groups, 2):
        row = _all_trials_together(scores, a, b, groups)
        pair = _paired(a, b, groups)
        comparison.notes += pair.notes
        obstacle = pair.obstacle(scores)
        if obstacle:
            comparison.notes += [obstacle] if scores.trials else []  # without trials it is said once, for all pairs
        else:
            row |= _over_trials(pair.improvement(scores, reference, rng, options), pair)
            levels.append(pair.at_equal_cost(scores, rng, options))
        rows.append(row)
    comparison.improvement = _corrected(pd.DataFrame(rows))
    if levels:
        comparison.equal_cost = _corrected(pd.concat(levels, ignore_index=True))[list(EQUAL_COST)]
    comparison.notes += _notes(scores, options, compared=bool(levels))
    comparison.claims = tuple(_claim(row, scores, options) for row in comparison.improvement.to_dict("records"))
    return comparison


@dataclass(frozen=True, eq=False)
class _TrialPair:
    """Two groups with the trials that are compared; paired: the same trials of both, each compared with itself."""

    a: str
    b: str
    ours: Fronts
    theirs: Fronts
    paired: bool
    notes: tuple[str, ...] = ()

    def obstacle(self, scores: Scores) -> str:
        """Why the pair cannot be compared trial by trial, or an empty text."""
        if not scores.trials:
            return "which trial a row belongs to is not known"
        few = [name for name, side in ((self.a, self.ours), (self.b, self.theirs)) if len(side) < 2]
        if few:
            return f"{self.a}, {self.b}: there is no uncertainty, as {' and '.join(few)} has one trial with a point"
        if len(self.ours) * len(self.theirs) > MOST_PAIRS:
            size = f"{len(self.ours)} x {len(self.theirs)} pairs of trials"
            return f"{self.a}, {self.b}: there is no uncertainty, as {size} are too many to compare"
        return ""

    def improvement(
        self, scores: Scores, reference: Reference, rng: np.random.Generator, options: FrontOptions
    ) -> ParetoImprovement:
        """How much a's fronts improve on b's."""
        return pareto_improvement(
            self.ours,
            self.theirs,
            reference,
            rng,
            scores.directions,
            paired=self.paired,
            confidence=options.confidence,
        )

    def at_equal_cost(self, scores: Scores, rng: np.random.Generator, options: FrontOptions) -> pd.DataFrame:
        """Best scores at cost at most x, for COSTS values of x."""
        costs = self._costs()
        table = score_at_equal_cost(
            self.ours, self.theirs, costs, rng, self.paired, scores.minimize, options.confidence
        )
        return table.assign(a=self.a, b=self.b)

    def _costs(self) -> tuple[float, ...]:
        """From the cost within which every trial has a point, to that of the most expensive point."""
        sides = [*self.ours.values(), *self.theirs.values()]
        least = max(float(rows[:, 0].min()) for rows in sides)
        most = max(float(rows[:, 0].max()) for rows in sides)
        if least > 0:
            return amounts(least, most, COSTS)
        return tuple(float(cost) for cost in np.unique(np.linspace(least, most, COSTS)))


def _fronts(scores: Scores, rows: pd.DataFrame) -> Fronts:
    """Trial -> its own front; trials without a point are left out."""
    points = complete(own_fronts(scores, rows))
    return {trial: values_of(group) for trial, group in points.groupby(TRIAL, sort=False)}


def _all_trials_together(scores: Scores, a: str, b: str, groups: Mapping[str, Fronts]) -> dict[str, Any]:
    """Of the points of all trials together: which share of the one front the other covers."""
    ours, theirs = (np.concatenate(list(groups[name].values())) for name in (a, b))
    ours, theirs = (np.unique(rows[pareto_front(rows, scores.directions)], axis=0) for rows in (ours, theirs))
    covers = [
        float(attainment_probability(rows, [0] * len(rows), goals, directions=scores.directions)["share"].mean())
        for rows, goals in ((ours, theirs), (theirs, ours))
    ]
    trials = {"trials_a": len(groups[a]), "trials_b": len(groups[b])}
    return {"a": a, "b": b, **trials, "covered_by_a": covers[0], "covered_by_b": covers[1]}


def _paired(a: str, b: str, groups: Mapping[str, Fronts]) -> _TrialPair:
    """The trials of both groups, each with itself; all trials of each if they have not two in common.

    With a trial that only one group has, the luck of that trial would count for one side alone.
    """
    ours, theirs = groups[a], groups[b]
    shared = [trial for trial in ours if trial in theirs]
    if len(shared) < 2:
        return _TrialPair(a, b, ours, theirs, paired=False)
    others = len(ours) + len(theirs) - 2 * len(shared)
    note = f"{a}, {b}: compared over the {len(shared)} trials with points in both groups; {others} are in one alone"
    ours, theirs = ({trial: side[trial] for trial in shared} for side in (ours, theirs))
    return _TrialPair(a, b, ours, theirs, paired=True, notes=(note,) if others else ())


def _over_trials(improvement: ParetoImprovement, pair: _TrialPair) -> dict[str, Any]:
    by_trial = improvement.pairs.drop_duplicates("seed_a"), improvement.pairs.drop_duplicates("seed_b")
    return {
        "pairing": "paired" if pair.paired else "unpaired",
        "compared_a": len(by_trial[0]),
        "compared_b": len(by_trial[1]),
        "improves_a": improvement.improves,
        "improves_b": improvement.improves_reverse,
        "hypervolume_a": float(by_trial[0]["hypervolume_a"].mean()),
        "hypervolume_b": float(by_trial[1]["hypervolume_b"].mean()),
        "difference": improvement.difference,
        "lower": improvement.lower,
        "upper": improvement.upper,
        "p": improvement.p,
        "least_p": improvement.least_p,
    }


def _corrected(frame: pd.DataFrame) -> pd.DataFrame:
    """With Holm's correction over all rows that have a p-value."""
    if "p" not in frame:
        return frame
    tested = frame["p"].notna()
    corrected = np.full(len(frame), math.nan)
    corrected[tested] = holm(frame.loc[tested, "p"].to_numpy())
    return frame.assign(p_holm=corrected)


def _notes(scores: Scores, options: FrontOptions, *, compared: bool) -> list[str]:
    recorded = "that a front covers another describes the recorded points of all trials together, not new trials"
    if not scores.trials:
        return [recorded, "which trial a row belongs to is not known, so no comparison has an uncertainty"]
    if not compared:
        return [recorded]
    groups = [rows for _, rows in scores.frame.groupby(GROUP, sort=False)]
    lost = sum(rows[TRIAL].nunique() - len(_fronts(scores, rows)) for rows in groups)
    notes = [recorded, *([f"{lost} trials have no point; comparisons are about the others"] if lost else [])]
    notes.append(
        "the uncertainty is over trials, each paired with itself where both groups have it: t intervals of "
        f"{100 * options.confidence:g} %, each for itself; p by exchanging labels, p_holm corrected for all rows of "
        "its table"
    )
    if scores.nested:
        notes.append(
            "trials are seeds of several configurations, so they are not independent: intervals are too narrow and p "
            "is too small"
        )
    return notes


def _claim(row: Mapping[Any, Any], scores: Scores, options: FrontOptions) -> str:
    """What follows for a pair, and no more."""
    a, b = row["a"], row["b"]
    improves = [row.get("improves_a", math.nan), row.get("improves_b", math.nan)]
    if 1.0 not in improves:
        return f"{_covering(row)}."
    better, worse = (a, b) if improves[0] == 1 else (b, a)
    sign = (1.0 if better == a else -1.0) * row["difference"]
    if sign > 0 and row["p_holm"] <= options.alpha and not scores.nested:
        return f"{better} Pareto-improves on {worse}: in every pair of trials, p {row['p_holm']:.2g} (Holm)."
    why = (
        "the trials are not independent, so p does not hold"
        if scores.nested
        else f"the hypervolumes could differ by chance, p {row['p_holm']:.2g} (Holm); with this number of trials it is "
        f"at least {row['least_p']:.2g}"
    )
    return f"{better}'s front improves on {worse}'s in every pair of recorded trials, but this is not a result: {why}."


def _covering(row: Mapping[Any, Any]) -> str:
    a, b = row["a"], row["b"]
    covers, covered = row["covered_by_a"] == 1, row["covered_by_b"] == 1
    if covers and covered:
        return f"{a} and {b} have the same front"
    if covers or covered:
        better, worse = (a, b) if covers else (b, a)
        return f"{better}'s front covers {worse}'s, and not the reverse"
    return f"Each of {a} and {b} has a point on its front that the other does not cover"
