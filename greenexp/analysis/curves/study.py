"""The study of tuning curves: the best score to expect of n trials, or for a given cost, group by group."""

from __future__ import annotations

from greenexp.analysis.curves.draft import Draft, failures, sentences_of_groups
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.study_over_costs import over_costs
from greenexp.analysis.curves.study_over_trials import over_trials
from greenexp.analysis.findings import Findings
from greenexp.errors import InputError
from greenexp.records.scores import Scores


def curve_study(scores: Scores, options: CurveOptions | None = None) -> Findings:
    """The tuning curve of each group, over numbers of trials, or, where scores have a cost, over amounts of it.

    Parameters
    ----------
    scores : Scores, required
        Independent draws of a search per group. A trial without a score has crashed: over trials it is left out, over a
        cost it costs and scores nothing.
    options : CurveOptions, default CurveOptions()
        How to compute.

    Returns
    -------
    Findings
        The table `curve`, a row per group (`by`) and budget. Over trials: n, scores, estimate, standard_error (of the
        estimate; unbiased curves alone), standard_deviation (of the best of n), and, where there is a band of this
        very estimate, lower, upper, trivial (a bound is only the end of the support); `test_of_winner`, the expected
        test score of the best of n. Over a cost: budget, trials, estimate, nothing_finished, simulation_error.
        With a curve of the expected best and no support, the table `median`: the median best of n with its band.
        With `extrapolate`, the table `extrapolated`. A refusal where the scores allow no curve.

    Raises
    ------
    InputError
        For options that do not go together, and scores outside the support.

    """
    options = options or CurveOptions()
    _check(scores, options)
    if scores.not_random:
        return Findings(refusal=f"these scores allow no curve: {scores.not_random}", notes=scores.notes)
    draft = Draft(notes=[*scores.notes, *failures(scores)])
    study = over_trials if scores.cost is None else over_costs
    try:
        refusal = study(scores, options, draft)
    except ValueError as error:
        raise InputError(str(error)) from error
    if refusal:
        return Findings(refusal=refusal, notes=tuple(draft.notes))
    draft.verdict = sentences_of_groups(draft.verdict)
    return draft.findings()


def _check(scores: Scores, options: CurveOptions) -> None:
    """InputError for options that do not go together with these scores."""
    if scores.cost is None and options.mean_cost:
        raise InputError("mean_cost puts numbers of trials on a cost, so it needs a cost column")
    if scores.cost is not None:
        given = {"bootstrap": options.bootstrap, "extrapolate": bool(options.extrapolate), "test": bool(scores.test)}
        alone = [name for name, there in given.items() if there]
        if alone:
            raise InputError(f"{', '.join(alone)}: only over numbers of trials, without a cost")
    if options.extrapolate and scores.bound:
        cut = "trials were stopped early or have not ended"
        raise InputError(f"extrapolate: {cut}, and a model of {scores.bound}s says nothing")
    if options.best_so_far and scores.trials == "configuration":
        raise InputError("best_so_far: of a sweep, the report has it, over everything that was spent")
