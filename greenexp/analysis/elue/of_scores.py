"""Groups of points of score and cost against a baseline's line, in their own units: ELUE's score of a front."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.elue.line import Outside
from greenexp.analysis.elue.study import ElueOptions, elue_study
from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.group_tables import BY
from greenexp.analysis.fronts.point_scores import complete, values_of
from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.records.policies import STATIC
from greenexp.records.scored_lines import ScoredLine
from greenexp.records.scores import GROUP, TRIAL, Scores

POLICY = "policy"
TITLE = "Line to line: mean height of a group's points over the baseline at equal cost, in the score's unit"


def line_to_line(
    scores: Scores, baseline: Scores, name: str, outside: Outside = "refuse", confidence: float = 0.95
) -> Findings:
    """Each group of `scores` against one line, the trials as seeds.

    baseline: of a sweep, its exits used alone count; name: of the baseline
    The table `line_to_line`: by, seeds, points, score, lower, upper, interval_over, clamped, baseline; see
    `analysis.elue.study.elue_study`. Of a sweep's thresholds some are chosen, as there. Raises InputError for scores of
    which a smaller one is better, and as `elue_study`.
    """
    if scores.minimize:
        raise InputError("a line to line comparison is of scores of which a larger one is better")
    rows = complete(baseline.frame)
    if POLICY in baseline.labels:
        rows = rows[rows[POLICY] == STATIC]
    if rows.empty:
        raise InputError(f"the baseline {name} has no point")
    against = ScoredLine(name, _by_trial(baseline, rows), metric=_metric(baseline))
    lines = [
        ScoredLine(str(group), _by_trial(scores, own), choosable=POLICY in scores.labels, metric=_metric(scores))
        for group, own in complete(scores.frame).groupby(GROUP, sort=False)
    ]
    found = elue_study(lines, against, ElueOptions(outside, confidence=confidence))
    table = found["scores"].rename(columns={"line": BY, "score": "height"}).drop(columns=["mparams", "metric"])
    notes = tuple(note for note in found.notes if "ElasticBERT" not in note)
    return Findings(found.verdict, {"line_to_line": table}, {"line_to_line": TITLE}, notes, found.warnings)


def _metric(scores: Scores) -> str:
    """The one metric of the sources; "" if it is not known. Sources of several are refused before."""
    return next((one.metric for one in scores.measured if one.metric), "")


def _by_trial(scores: Scores, rows: pd.DataFrame) -> dict[str, Floats]:
    """Trial -> its points, each place once; all rows together where nothing says which belong to one trial."""
    if not (scores.trials or scores.seeds or POLICY in scores.labels):
        return {"all": values_of(rows)}
    return {
        str(trial): values_of(own.drop_duplicates(["cost", "score"])) for trial, own in rows.groupby(TRIAL, sort=False)
    }
