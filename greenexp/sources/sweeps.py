"""A sweep as `Scores`, in the view a study needs: its configurations, its trials, or its operating points."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from greenexp.analysis.comparing.measured import measured_by
from greenexp.analysis.curves.of_sweep import configuration_scores, group_names
from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.fronts.front_over_trials import front_over_trials
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.seeds.of_sweep import sweep_seed_scores
from greenexp.analysis.sweeps.energy import energy_remarks
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.errors import InputError, did_you_mean
from greenexp.records.axes import AXES
from greenexp.records.scores import ALL, CONFIGURATION, COST, GROUP, SCORE, TRIAL, Scores, score_frame
from greenexp.records.tables import PARAMS, SUMMED_COSTS, SweepTables
from greenexp.sources.request import ScoreRequest, View

POINT_COSTS = ("inference_flops", "mean_layers")
"""What an operating point can cost; the first if none is named."""
_SAID_BY_A_SWEEP = ("score", "test", "configuration", "seeds", "shared_seeds", "trial", "where", "query", "minimize")


def sweep_scores(tables: SweepTables, request: ScoreRequest, view: View, source: str = "the sweep") -> Scores:
    """The sweep in one view. InputError for columns that a sweep does not have, or that its record says itself."""
    given = [name for name in request.given if name in _SAID_BY_A_SWEEP]
    if given:
        why = (
            " (only its chosen configuration is evaluated on test, and that gives no curve)" if "test" in given else ""
        )
        raise InputError(
            f"{source} is a sweep of greenexp, and its record says what its scores, trials and seeds are, and which "
            f"score is better: leave out {', '.join(given)}{why}"
        )
    if view is View.TRIALS:
        return _trials(tables, request, source)
    return (_points if view is View.POINTS else _configurations)(tables, request, source)


def _configurations(tables: SweepTables, request: ScoreRequest, source: str) -> Scores:
    """A row per configuration; the groups of a sweep with a search for each value of a field are these values."""
    by = searched_field(tables, tables.spec.search.per if request.by is None else request.by)
    cost = None if request.cost is None else _axis(request.cost)
    scores = configuration_scores(tables, by, cost)
    notes, warnings = ((), ()) if cost is None else energy_remarks(tables, cost)
    return dataclasses.replace(
        scores,
        by=request.by or by,
        measured=(measured_by(tables, source),),
        notes=(*scores.notes, *notes),
        warnings=(*scores.warnings, *warnings),
    )


def _trials(tables: SweepTables, request: ScoreRequest, source: str) -> Scores:
    """A row per trial, or with folds per seed, of the configurations that have all their seeds finished."""
    scores = sweep_seed_scores(tables)
    if scores.frame.empty:
        raise InputError(f"{source}: no configuration has all its seeds finished")
    groups = group_names(tables, searched_field(tables, request.by), list(scores.frame[CONFIGURATION]))
    return dataclasses.replace(
        scores,
        frame=scores.frame.assign(**{GROUP: groups}),
        by=request.by,
        measured=(measured_by(tables, source),),
    )


def _points(tables: SweepTables, request: ScoreRequest, source: str) -> Scores:
    """Operating points of trials that did not fail, without the bounds, which cannot be chosen.

    A failed trial is there with a row that is no point, in each group it would belong to: it was paid for.
    """
    metric, cost = metric_of(tables), request.cost or POINT_COSTS[0]
    if cost not in POINT_COSTS:
        raise InputError(
            f"cost {cost}: not a cost of an operating point{did_you_mean(cost, POINT_COSTS)} "
            f"(known: {', '.join(POINT_COSTS)})"
        )
    column = _point_column(tables, request.by)
    points = operating_front(tables)
    if points.empty:
        raise InputError(f"{source} has no operating points: no trial that did not fail has stored logits")
    trials = tables.trials.set_index("trial")
    failed = trials[trials["status"] == "failed"].reset_index()[["trial", "configuration"]]
    if column == "policy":
        failed = failed.merge(points[["policy"]].drop_duplicates(), how="cross")
    rows = pd.concat([points, failed], ignore_index=True)
    groups: Any = ALL if column is None else rows[column] if column in rows else rows["trial"].map(trials[column])
    seeds = ["initialisation_seed", "order_seed", *(["fold"] if trials["fold"].notna().any() else [])]
    frame = {GROUP: groups, CONFIGURATION: rows["configuration"], TRIAL: rows["trial"]}
    frame |= {SCORE: rows["score"], COST: rows[cost], "policy": rows["policy"], "threshold": rows["threshold"]}
    frame |= {seed: rows["trial"].map(trials[seed].astype(str).to_dict()) for seed in seeds}
    table = score_frame(frame, len(rows))
    per_group = table.groupby(GROUP)[[CONFIGURATION, TRIAL]].nunique()
    return Scores(
        frame=table,
        score=f"dev {metric.name}",
        cost=cost,
        by=request.by,
        minimize=metric.minimize,
        seeds=tuple(seeds),
        shared_seeds=True,
        labels=("policy", "threshold"),
        trials="trial",
        not_random=front_over_trials(tables).refusal,
        nested=bool(((per_group[CONFIGURATION] > 1) & (per_group[TRIAL] > per_group[CONFIGURATION])).any()),
        measured=(measured_by(tables, source),),
        notes=_point_notes(tables, points),
        warnings=tables.remarks.warnings,
    )


def searched_field(tables: SweepTables, by: str | None) -> str | None:
    """The path of the searched field that is meant by `by`; InputError if it was not searched."""
    if by is None:
        return None
    field = by.removeprefix(PARAMS)
    if field not in tables.parameters:
        known = tables.parameters
        raise InputError(
            f"by {by}: not a searched field{did_you_mean(field, known)} (searched: {', '.join(known) or 'none'})"
        )
    return field


def _axis(cost: str) -> str:
    axes = [name for name in AXES if name in {*SUMMED_COSTS, "epochs"}]
    if cost not in axes:
        raise InputError(f"cost {cost}: not a cost of a trial{did_you_mean(cost, axes)} (known: {', '.join(axes)})")
    return cost


def _point_column(tables: SweepTables, by: str | None) -> str | None:
    """The column of the operating points or of the trials that the groups are."""
    if by is None or by in {"policy", "configuration"}:
        return by
    field = by.removeprefix(PARAMS)
    known = ("policy", "configuration", *tables.parameters)
    if field not in tables.parameters:
        raise InputError(
            f"by {by}: neither policy, configuration nor a searched field{did_you_mean(field, known)} "
            f"(known: {', '.join(known)})"
        )
    return f"{PARAMS}{field}"


def _point_notes(tables: SweepTables, points: pd.DataFrame) -> tuple[str, ...]:
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
