"""The operating points of a sweep as the study of fronts takes them: dev score against what an example costs."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.fronts.front_over_trials import front_over_trials
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.errors import InputError, did_you_mean
from greenexp.records.scores import ALL, Scores, score_frame
from greenexp.records.tables import SweepTables

COSTS = ("inference_flops", "mean_layers")
LABELS = ("policy", "threshold")
SEEDS = "seeds"
"""The column with a trial's seeds in one text, such as `0-7`, and its fold."""


def sweep_point_scores(tables: SweepTables, cost: str | None = None, by: str | None = None) -> Scores:
    """Operating points of trials that did not fail, without the bounds, which cannot be chosen.

    A failed trial is there with a row that is no point, in each group it would belong to: it was paid for.

    Parameters
    ----------
    tables : SweepTables, required
        The sweep.
    cost : str, default None
        `inference_flops` or `mean_layers`; None is the first.
    by : str, default None
        `policy`, `configuration` or a searched field, whose values are the groups.

    Raises
    ------
    InputError
        If there are no operating points, and for an unknown cost or field.

    """
    metric = metric_of(tables)
    cost = cost or COSTS[0]
    if cost not in COSTS:
        raise InputError(
            f"cost {cost}: not a cost of an operating point{did_you_mean(cost, COSTS)} (known: {', '.join(COSTS)})"
        )
    points = operating_front(tables)
    if points.empty:
        raise InputError("the sweep has no operating points: no trial that did not fail has stored logits")
    trials = tables.trials.set_index("trial")
    column = _column(tables, by)
    failed = trials[trials["status"] == "failed"].reset_index()[["trial", "configuration"]]
    if column == "policy":
        failed = failed.merge(points[["policy"]].drop_duplicates(), how="cross")
    rows = pd.concat([points, failed], ignore_index=True)
    groups = ALL if column is None else rows[column] if column in rows else rows["trial"].map(trials[column])
    names = [*LABELS, "configuration", "trial", "score"]
    columns = {name: rows[name] for name in names} | {"group": groups, "cost": rows[cost]}
    frame = score_frame({**columns, SEEDS: rows["trial"].map(_seeds(trials).to_dict())}, len(rows))
    per_group = frame.groupby("group")[["configuration", "trial"]].nunique()
    nested = ((per_group["configuration"] > 1) & (per_group["trial"] > per_group["configuration"])).any()
    return Scores(
        frame=frame,
        score=f"dev {metric.name}",
        cost=cost,
        by=by,
        minimize=metric.minimize,
        seeds=(SEEDS,),
        labels=LABELS,
        trials="trial",
        nested=bool(nested),
        not_random=front_over_trials(tables).refusal,
        notes=_notes(tables, points),
    )


def _seeds(trials: pd.DataFrame) -> pd.Series[str]:
    """trials: indexed by their names."""
    seeds = trials["initialisation_seed"].astype(str) + "-" + trials["order_seed"].astype(str)
    return seeds.where(trials["fold"].isna(), seeds + "-" + trials["fold"].astype(str))


def _column(tables: SweepTables, by: str | None) -> str | None:
    """The column of the operating points or of the trials whose values are the groups."""
    if by is None or by in {"policy", "configuration"}:
        return by
    field = by.removeprefix("params.")
    known = ("policy", "configuration", *tables.parameters)
    if field not in tables.parameters:
        raise InputError(
            f"by {by}: neither policy, configuration nor a searched field{did_you_mean(field, known)} "
            f"(known: {', '.join(known)})"
        )
    return f"params.{field}"


def _notes(tables: SweepTables, points: pd.DataFrame) -> tuple[str, ...]:
    notes = ["operating points are scored on the dev set that chose them: optimistic"]
    bounds = int(is_bound(tables.operating_points["policy"]).sum())
    if bounds:
        notes.append(f"{bounds} points of policies that need the labels (the oracle) are bounds, and left out")
    statuses = tables.trials[tables.trials["trial"].isin(points["trial"])]["status"]
    unfinished = int((statuses != "finished").sum())
    if unfinished:
        notes.append(
            f"{unfinished} of {len(statuses)} trials with operating points were stopped early or have not ended: "
            "their points are those of shorter training"
        )
    without = tables.trials[~tables.trials["trial"].isin(points["trial"])]
    failed = int((without["status"] == "failed").sum())
    if failed:
        notes.append(f"{failed} trials failed and have no points")
    if len(without) > failed:
        notes.append(f"{len(without) - failed} other trials have no operating points yet, and are left out")
    return tuple(notes)
