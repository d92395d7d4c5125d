"""ELUE: scores against a named baseline, boards, submissions written and checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from greenexp.analysis.elue.line import Outside
from greenexp.analysis.elue.study import MOST_POINTS, ElueOptions, elue_study
from greenexp.analysis.findings import Findings
from greenexp.sources.elue.lines import LineRequest, LineSource, Split, lines_by_name, read_baseline, read_lines


def score(
    *sources: LineSource,
    baseline: LineSource,
    baseline_configuration: str = "",
    baseline_policy: str = "",
    task: str = "",
    configuration: str = "",
    policies: Sequence[str] = (),
    split: Split = "dev",
    outside: Outside = "refuse",
    most_points: int = MOST_POINTS,
    confidence: float = 0.95,
) -> Findings:
    """ELUE's score of lines of operating points against a baseline that you name.

    Parameters
    ----------
    *sources : path, MLflow address, data frame, SweepTables or ScoredLine, at least one
        A sweep, of which each exit policy is a line and each trial a seed; a table with the columns `mflops` and
        `points`, and as you like `line`, `seed` and `task`; a paper's YAML (`sources.elue.paper`).
    baseline : as a source, required
        Of a sweep its exits used alone.
    baseline_configuration, configuration : str, default ""
        Another configuration of the sweep than the chosen one, or one of its trials.
    baseline_policy : str, default ""
        Another line of the baseline's sweep than its exits used alone.
    task : str, default ""
        Where a source has several.
    policies : sequence of str, default ()
        Only these lines of sweeps.
    split : "dev" or "test", default "dev"
        Of a sweep's scores; of policies on test the thresholds are those that were chosen on dev.
    outside : "refuse" or "clamp", default "refuse"
        What becomes of points beyond the baseline's range.
    most_points : int of at least 1, default 12
        Points that are chosen of a policy's many thresholds.
    confidence : float in (0, 1), default 0.95
        Of intervals over seeds.

    Returns
    -------
    Findings
        As of `analysis.elue.study.elue_study`, with a figure.

    Raises
    ------
    InputError
        For what is wrong with a source, with its place, and for points outside the range.
    TrackingError
        For what MLflow does not have.

    """
    options = ElueOptions(outside, most_points, confidence)
    request = LineRequest(task, configuration, tuple(policies), split)
    lines = [line for source in sources for line in read_lines(source, request)]
    against = read_baseline(
        baseline, LineRequest(task, baseline_configuration, (baseline_policy,) if baseline_policy else (), split)
    )
    # The baseline's own line is 0 by definition, and says nothing.
    scored = [line for name, line in lines_by_name(lines).items() if name != against.name] or lines
    findings = elue_study(scored, against, options)
    from greenexp.figures.elue import elue_figure

    return dataclasses.replace(findings, figures=(elue_figure(findings),))
