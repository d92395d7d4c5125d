"""The configurations of a sweep as the studies of curves take them: draws of a search, in groups."""

from __future__ import annotations

import numpy as np

from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.curves.evp_over_cost import refusal_over_cost
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.scores import ALL, CONFIGURATION, COST, GROUP, SCORE, TRIAL, Scores, score_frame
from greenexp.records.tables import PARAMS, SweepTables


def configuration_scores(tables: SweepTables, by: str | None = None, cost: str | None = None) -> Scores:
    """A row per configuration that has a value, with the mean over its seeds; none if the sweep allows no curve.

    by: the searched field whose values are the groups; cost: a budget axis
    """
    metric, best = metric_of(tables), expected_best(tables, within=by)
    refusal, means = best.refusal, dict(best.values)
    names = list(means)
    frame: dict[str, object] = {SCORE: [means[name] for name in names], CONFIGURATION: names, TRIAL: names}
    frame[GROUP] = group_names(tables, by, names)
    if cost is not None:
        refusal = refusal or refusal_over_cost(tables, cost, within=by)
        totals = tables.trials.groupby("configuration", sort=False)[cost].sum()
        frame[COST] = totals.reindex(names).to_numpy(dtype=np.float64)
    return Scores(
        frame=score_frame(frame, len(names)),
        score=metric.label,
        cost=cost,
        by=by,
        minimize=metric.minimize,
        trials="configuration",
        bound=best.bound,
        not_random=refusal,
        notes=best.notes,
    )


def group_names(tables: SweepTables, by: str | None, configurations: list[str]) -> list[str]:
    """The value of the searched field `by` of each configuration, as text."""
    if by is None:
        return [ALL] * len(configurations)
    values = tables.trials.drop_duplicates("configuration").set_index("configuration")[f"{PARAMS}{by}"]
    return [str(values[name]) for name in configurations]
