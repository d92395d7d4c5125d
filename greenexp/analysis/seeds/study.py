"""The study of seeds: how much of the variance is due to them, how many are needed, which groups they tell apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.seeds.methods import compare_methods
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.splitting import SplitTables, split_groups
from greenexp.errors import InputError
from greenexp.records.scores import CONFIGURATION, GROUP, SCORE, Scores

REPEAT = "repeat"
"""Stands in for a seed column where none is named: every trial of a configuration is another seed of it."""


def seed_study(scores: Scores, options: SeedOptions | None = None) -> Findings:
    """How much of the variance of scores is due to seeds, and how many seeds are needed.

    With groups (`scores.by`), the groups are compared over their seeds too, pair by pair.

    Parameters
    ----------
    scores : Scores, required
        Trials of one or more configurations per group. Trials without a finite score are left out, with a note.
    options : SeedOptions, default SeedOptions()
        How to compute.

    Returns
    -------
    Findings
        The tables splits, variance, means, worth, plans, power and needed, each with the column `by` that names the
        group; and of a comparison methods, distribution, pairs, tests and reach. A refusal where neither the variance
        can be split nor groups be compared.

    Raises
    ------
    InputError
        If the groups are to be compared seed by seed, and there are no groups or no seeds.

    """
    options = options or SeedOptions()
    if options.paired and scores.by is None:
        raise InputError("a paired comparison compares groups seed by seed, so it needs groups (by)")
    if options.paired and not scores.seeds:
        raise InputError("a paired comparison needs to know which trials have the same seed (a seed column)")
    notes = list(scores.notes)
    trials, missing = _finite(scores)
    notes += missing
    if trials.empty:
        return Findings(refusal="no trial has a score", notes=tuple(notes))
    scores, trials, repeats = _seeds(scores, trials)
    notes += repeats
    if options.paired and (refusal := _ambiguous_pairs(scores, trials)):
        return Findings(refusal=refusal, notes=tuple(notes))
    splits = split_groups(trials, scores, options)
    return _with_comparison(splits, trials, scores, options, notes)


def _with_comparison(
    splits: SplitTables, trials: pd.DataFrame, scores: Scores, options: SeedOptions, notes: list[str]
) -> Findings:
    """The splits, and the comparison of groups where there are some; one of the two may be missing."""
    if scores.by is None:
        if not splits.frames:
            return Findings(refusal=f"the variance is not split: {splits.refusals[next(iter(splits.refusals))]}")
        compared = Findings()
    else:
        compared = compare_methods(trials, scores, options)
        notes += [f"{name}: the variance is not split: {why}" for name, why in splits.refusals.items()]
    notes += splits.notes
    if compared.refusal:
        if not splits.frames:
            return Findings(refusal=compared.refusal, notes=tuple(notes))
        notes.append(f"no groups are compared: {compared.refusal}")
    return Findings(
        verdict=(*compared.verdict, *splits.verdict),
        tables={**splits.tables, **compared.tables},
        titles=_titles(options),
        notes=(*notes, *compared.notes),
    )


def _finite(scores: Scores) -> tuple[pd.DataFrame, list[str]]:
    """The trials with a finite score, and a note on the others."""
    there = np.isfinite(scores.frame[SCORE].to_numpy(dtype=np.float64))
    if there.all():
        return scores.frame, []
    note = (
        f"{int((~there).sum())} of {there.size} trials have no finite score and are left out: if they collapsed, what "
        "remains is a selection, and its spread is too small"
    )
    return scores.frame[there].reset_index(drop=True), [note]


def _seeds(scores: Scores, trials: pd.DataFrame) -> tuple[Scores, pd.DataFrame, list[str]]:
    """The same with a seed column, whatever was named, and what to say about equal seeds."""
    if scores.seeds:
        return scores, trials, _repeats(scores, trials)
    trials = trials.assign(**{REPEAT: trials.groupby([GROUP, CONFIGURATION], sort=False).cumcount()})
    named = dataclasses.replace(scores, frame=trials, seeds=(REPEAT,))
    return named, trials, ["no seed column is named, so every trial of a configuration counts as another seed of it"]


def _repeats(scores: Scores, trials: pd.DataFrame) -> list[str]:
    """A note on trials that have the configuration and the seeds of another."""
    again, sentence = _equal_seeds(scores, trials)
    if not again:
        return []
    copies = int(trials.duplicated([GROUP, CONFIGURATION, *scores.seeds, SCORE]).sum())
    same = f", {copies} of them its very score too," if copies else ""
    return [f"{sentence}{same} and count as repeats of it; if they are something else, choose rows by another column"]


def _ambiguous_pairs(scores: Scores, trials: pd.DataFrame) -> str:
    """Why trials cannot be paired by their seeds, or an empty text."""
    again, sentence = _equal_seeds(scores, trials)
    return f"{sentence}, so it is not known which trials are a pair; choose rows by another column" if again else ""


def _equal_seeds(scores: Scores, trials: pd.DataFrame) -> tuple[int, str]:
    again = trials.duplicated([GROUP, CONFIGURATION, *scores.seeds])
    if not again.any():
        return 0, ""
    first = trials[again].iloc[0]
    seeds = ", ".join(f"{name} {first[name]}" for name in scores.seeds)
    count = int(again.sum())
    place = f"{first[CONFIGURATION]}, {seeds}"
    return count, f"{count} of {len(trials)} trials have the configuration and seeds of another ({place})"


def _titles(options: SeedOptions) -> dict[str, str]:
    sure, percent = f"{100 * options.power:g} %", options.percent
    return {
        "splits": f"Standard deviations of configurations and of one trial over seeds, with intervals of {percent}",
        "variance": f"Variance by source, with intervals of {percent}",
        "means": "Means of configurations, and what each is worth without the luck of its seeds",
        "worth": "Number of seeds that finds the best configuration (least, most: at the ends of the noise's interval)",
        "plans": "The same number of trials, spent on fewer or more seeds",
        "power": f"Smallest true difference found with {sure} power (one test at the level {options.alpha:g})",
        "needed": f"Seeds of each configuration that a true difference takes to be found with {sure} power",
        "methods": f"Scores by group: quartiles with intervals of {percent}, those of a group together",
        "distribution": f"Distribution functions by group, with bands of {percent}",
        "pairs": f"Pairs of groups: a - b with its interval of {percent}, effect sizes, almost-stochastic order (no "
        f"test), and the smallest true difference that a t test finds with {sure} power",
        "tests": "Two-sided tests of every pair; p_holm is corrected over the pairs",
        "reach": "The smallest p-value that these numbers of seeds can give",
    }
