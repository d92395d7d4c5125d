"""The study of seeds: how much of the variance is due to them, how many are needed, which groups they tell apart."""

from __future__ import annotations

import dataclasses

from greenexp.analysis.findings import Findings
from greenexp.analysis.seeds.methods import compare_methods
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.splitting import SplitTables, split_groups
from greenexp.analysis.seeds.trials import trial_scores
from greenexp.errors import InputError
from greenexp.records.scores import Scores


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
        The tables subject (`Scores.subject`), splits, variance, means, worth, plans, power and needed, each but the
        first with the column `by` that names the group; and of a comparison methods, distribution, pairs, tests and
        reach. A refusal where neither the variance can be split nor groups be compared.

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
    try:
        scores = trial_scores(dataclasses.replace(scores, shared_seeds=scores.shared_seeds or options.paired))
    except InputError as error:
        return Findings(refusal=str(error), notes=scores.notes)
    return _with_comparison(split_groups(scores, options), scores, options)


def _with_comparison(splits: SplitTables, scores: Scores, options: SeedOptions) -> Findings:
    """The splits, and the comparison of groups where there are some; one of the two may be missing."""
    notes = list(dict.fromkeys(scores.notes))
    if scores.by is None:
        if not splits.frames:
            return Findings(refusal=f"the variance is not split: {splits.refusals[next(iter(splits.refusals))]}")
        compared = Findings()
    else:
        compared = compare_methods(scores, options)
        notes += [f"{name}: the variance is not split: {why}" for name, why in splits.refusals.items()]
    notes += splits.notes
    if compared.refusal:
        if not splits.frames:
            return Findings(refusal=compared.refusal, notes=tuple(notes))
        notes.append(f"no groups are compared: {compared.refusal}")
    return Findings(
        verdict=(*compared.verdict, *splits.verdict),
        tables={"subject": scores.subject, **splits.tables, **compared.tables},
        titles=_titles(options),
        notes=(*notes, *compared.notes),
    )


def _titles(options: SeedOptions) -> dict[str, str]:
    sure, percent = f"{100 * options.power:g} %", options.percent
    return {
        "subject": "What the scores are",
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
