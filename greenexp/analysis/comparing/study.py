"""The study that compares groups of scores: which is better at which budget, and how sure that is."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.comparing.measured import what_differs, what_is_unknown
from greenexp.analysis.comparing.options import ComparisonOptions
from greenexp.analysis.comparing.study_over_costs import compare_costs
from greenexp.analysis.comparing.study_over_trials import compare_trials
from greenexp.analysis.curves.draft import Draft, failures, groups_with_scores, sentences_of_groups
from greenexp.analysis.curves.renewal import MOST_STEPS
from greenexp.analysis.curves.search_effort import STEPS_OF_ALL
from greenexp.analysis.curves.target import budget_to_reach
from greenexp.analysis.findings import Findings
from greenexp.errors import InputError
from greenexp.records.scores import ScoreGroup, Scores

QUANTILES = 6
"""Of what a target costs, of each group: two, each with its interval."""
MOST_GROUPS = 500
"""Groups beyond which the column of groups more likely tells single trials apart."""


def comparison_study(scores: Scores, options: ComparisonOptions | None = None) -> Findings:
    """Groups side by side and pair by pair, at equal numbers of trials or, where scores have a cost, at equal cost.

    Parameters
    ----------
    scores : Scores, required
        Independent draws of a search per group, at least two groups. A trial without a score has crashed: over trials
        it is left out, over a cost it costs and scores nothing.
    options : ComparisonOptions, default ComparisonOptions()
        How to compute.

    Returns
    -------
    Findings
        `leaders`: first, last, best: which group has the best estimate at which budgets.
        `pairs`: a row per pair and budget: a, b, budget, curve_a, curve_b, difference (a - b, in the scores' unit),
        probability_better (of a). Over trials also the band of the difference for each confidence, lower_95, upper_95,
        apart_95 (the better group where the bands part, else ""), and p, p_holm (corrected over all rows). Over a cost
        also simulation_error, nothing_a, nothing_b.
        `regions`: where bands part; `crossings`: where estimates change places; `curves`: the estimates of all groups
        at every budget looked at; `difference`: that of the two groups with the best scores, at every budget looked at.
        `target`: what it takes each group to find a score this good, if one is named.
        A refusal where there is nothing to compare, or where sources measure different things.

    Raises
    ------
    InputError
        For budgets that no group has, and scores outside the support.

    """
    options = options or ComparisonOptions()
    draft = Draft(notes=[*scores.notes, *failures(scores)])
    groups = groups_with_scores(scores, draft)
    refusal = _refusal(scores, groups)
    if refusal:
        return Findings(refusal=refusal, notes=tuple(draft.notes))
    unknown = what_is_unknown(scores.measured)
    if unknown:
        draft.warnings.append(unknown)
    study = compare_trials if scores.cost is None else compare_costs
    try:
        study(groups, scores, options, draft)
        if options.target is not None:
            _reach_target(groups, scores, options, draft)
    except ValueError as error:
        raise InputError(str(error)) from error
    return draft.findings()


def _refusal(scores: Scores, groups: dict[str, ScoreGroup]) -> str:
    """Why these scores cannot be compared, or ""."""
    differs = what_differs(scores.measured)
    if differs:
        return differs
    if scores.not_random:
        return f"these scores allow no curve: {scores.not_random}"
    if scores.bound:
        return (
            f"trials were stopped early or have not ended, so their scores are only {scores.bound}s of full scores, "
            "and the difference of two bounds bounds nothing"
        )
    if len(groups) < 2:
        where = f"there is one value of {scores.by} with a score" if scores.by else "no column of groups (by) is named"
        return f"a comparison needs two groups with a score, and {where}"
    if len(groups) > MOST_GROUPS:
        return f"{scores.by} gives {len(groups)} groups; at most {MOST_GROUPS} are compared"
    return ""


def _reach_target(groups: dict[str, ScoreGroup], scores: Scores, options: ComparisonOptions, draft: Draft) -> None:
    """What it takes each group to find a score as good as the target, on average and with 50 % and 90 % probability.

    A trial without a score misses the target. Of a group that never reached it: `at_least_trials`, on average.
    """
    target = options.target
    costs, steps = scores.cost is not None, min(MOST_STEPS, STEPS_OF_ALL / (QUANTILES * len(groups)))
    first = ["group", "of_trials", "hits", "quantity", "trials", "trials_lower", "trials_upper", "at_least_trials"]
    paid = ["cost", "cost_lower", "cost_upper", "at_least_cost"] if costs else []
    sentences = []
    for name, group in groups.items():
        reach = budget_to_reach(
            group.scores,
            float(target or 0.0),
            group.costs if costs else None,
            options.confidence,
            scores.minimize,
            most_steps=steps,
        )
        rows = reach.table if reach.hits else reach.table.iloc[:1]
        rows = rows.assign(group=name, of_trials=reach.trials, hits=reach.hits)
        rows["at_least_trials"] = float("nan") if reach.hits else reach.at_least_trials
        rows["at_least_cost"] = float("nan") if reach.hits else reach.at_least_cost
        draft.add("target", pd.DataFrame(rows[first + paid]))
        sentences.append(f"{name}: {reach.summary}")
    draft.verdict += sentences_of_groups(sentences)
    draft.titles["target"] = f"What it takes to find a score of {target:g} or better"
