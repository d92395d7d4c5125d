"""Recorded full curves, brought to equal parts of each run's own schedule: what `simulate` draws searches from.

A run is recorded as points (resource, score, cost), the resource rising to the end of its schedule, whatever its unit.
Part k of T ends at the first recorded point at or after k/T of the schedule: a scheduler can only judge what has been
measured, and what was spent until then is spent. Nothing is interpolated, and part T ends at the last point, exactly.

Runs that are seeds of one configuration are judged by their mean (`schedulers.seed_groups`) and stop together, so the
configuration is one curve: value = mean over its seeds, cost = their sum. A scheduler that holds seeds back sees the
curves of single seeds, in the order in which the table names them; a sweep's by the names of its trials.

Costs that are objectives beside the score are recorded at the same points, as they are there, and are means over seeds
too: a scheduler compares what one trial costs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.numbers.rounding import raised
from greenexp.analysis.stopping.recorded_objectives import objectives_at_reports
from greenexp.analysis.sweeps.scored_exits import over_other_exits
from greenexp.records.arrays import Floats
from greenexp.records.tables import OBJECTIVES, SweepTables
from greenexp.schedulers import scheduler_names


@dataclass(frozen=True)
class RecordedCurves:
    """Curves of N units (configurations, or runs without seeds) after each of T equal parts of their schedules.

    scores: [N, T], as recorded or the best so far, in the score's unit; the last column is the final score
    costs: [N, T], cumulative, in the cost's unit; minimize: a smaller score is better
    seed_scores, seed_costs: [N, S, T], the same of each seed; None unless every unit has the same number S >= 2 of them
    remarks: what must be known of how the units came about, in sentences
    cost_axis: the budget axis that costs are on, "" where they are on none
    objectives: the names of the costs among several objectives, () where the score is the only one
    objective_costs, seed_objective_costs: [N, T, K], [N, S, T, K], these costs after each part, less is better
    """

    units: tuple[str, ...]
    scores: Floats
    costs: Floats
    minimize: bool = False
    seed_scores: Floats | None = None
    seed_costs: Floats | None = None
    remarks: tuple[str, ...] = ()
    cost_axis: str = ""
    objectives: tuple[str, ...] = ()
    objective_costs: Floats | None = None
    seed_objective_costs: Floats | None = None

    @property
    def final(self) -> Floats:
        """[N] scores after full training."""
        return self.scores[:, -1]

    @property
    def full_cost(self) -> Floats:
        """[N] costs of full training."""
        return self.costs[:, -1]

    @property
    def seeds(self) -> int:
        """How often each unit was repeated; 1 if it was not, or not equally often."""
        return 1 if self.seed_scores is None else self.seed_scores.shape[1]


def recorded_curves(
    points: pd.DataFrame,
    parts: int,
    *,
    best_so_far: bool = True,
    minimize: bool = False,
    objectives: Sequence[str] = (),
) -> RecordedCurves:
    """Curves of recorded runs.

    points: a row per run and evaluation: run; resource (rising within a run; its last value is the end of that run's
        own schedule); score (finite); cost (cumulative within the run, never falling; default: the resource);
        configuration (default: the run itself); `objectives.<name>` (finite) per name of `objectives`. Rows may be in
        any order.
    parts: T >= 1; best_so_far: a value is the best score until then, else the score recorded there
    Presumes that every run was recorded to the end of its schedule: that cannot be seen from its points.
    Raises ValueError for missing columns, scores that are not finite, and resources or costs that fall.
    """
    columns = [OBJECTIVES + name for name in objectives]
    table = _checked(points, parts, columns)
    rows: dict[str, list[tuple[Floats, Floats, Floats]]] = {}
    for (configuration, run), part in table.groupby(["configuration", "run"], sort=False):
        rows.setdefault(str(configuration), []).append(_one_run(str(run), part, parts, best_so_far, minimize, columns))
    values = np.array([np.mean([value for value, _, _ in seeds], axis=0) for seeds in rows.values()])
    costs = np.array([np.sum([cost for _, cost, _ in seeds], axis=0) for seeds in rows.values()])
    means = np.array([np.mean([others for _, _, others in seeds], axis=0) for seeds in rows.values()])
    curves = RecordedCurves(tuple(rows), values, costs, minimize)
    if objectives:
        curves = dataclasses.replace(curves, objectives=tuple(objectives), objective_costs=means)
    numbers = {len(seeds) for seeds in rows.values()}
    if numbers == {1} or len(numbers) > 1:
        return curves
    each, paid, others = (np.array([[seed[k] for seed in seeds] for seeds in rows.values()]) for k in range(3))
    return dataclasses.replace(
        curves, seed_scores=each, seed_costs=paid, seed_objective_costs=others if objectives else None
    )


def sweep_points(tables: SweepTables, axis: str = "epochs", objectives: Sequence[str] = ()) -> pd.DataFrame:
    """The points of `recorded_curves` from a recorded sweep: resource = epochs, cost = `axis`, cumulative per trial.

    objectives: costs besides the score, as a scheduler would have been told them (`recorded_objectives`)
    A trial that ended by its own patience is at its end, and would be under any scheduler: its curve goes on to the
    last epoch of its schedule, flat in score and cost. Reports on a part of dev are no points.
    Raises ValueError, with the reason, if a trial did not finish (a pool without the bad runs' ends is no pool), was
    scored over other exits in an early stage, or has no such cost or objective on record.
    """
    _refuse_open_ends(tables.trials)
    epochs = tables.epochs[~tables.epochs["repeated"]].sort_values(["trial", "epoch"], kind="stable")
    staged = epochs.loc[over_other_exits(tables, epochs), "trial"].drop_duplicates().tolist()
    if staged:
        raise ValueError(
            f"{len(staged)} of {len(tables.trials)} trials train in stages that are scored over different exits "
            f"({_some(staged)}): before the last stage nothing can be compared with their final scores"
        )
    if axis == "epochs":
        cost = epochs["epoch"].astype("float64")
    elif axis in epochs and pd.api.types.is_numeric_dtype(epochs[axis]):
        cost = epochs.groupby("trial", sort=False)[axis].cumsum().astype("float64")
        if epochs[axis].isna().any():
            raise ValueError(f"{axis} was not measured in {int(epochs[axis].isna().sum())} of {len(epochs)} epochs")
    else:
        raise ValueError(f"the sweep's epochs have no cost called '{axis}'")
    several = objectives_at_reports(tables, objectives, epochs).add_prefix(OBJECTIVES)
    whole = epochs["dev_examples"].isna()  # a score on a part of dev is no point of the curve, its cost is paid
    epochs, cost = epochs[whole], cost[whole]
    named = {"trial": "run", "epoch": "resource"}
    points = epochs[["trial", "configuration", "epoch", "score"]].rename(columns=named).assign(cost=cost)
    points = pd.concat([points, several[whole]], axis=1)
    ends = points.drop_duplicates("run", keep="last")
    lengths = ends["run"].map(tables.trials.set_index("trial")["max_epochs"])
    early = (lengths > ends["resource"]).to_numpy()
    return (
        pd.concat([points, ends[early].assign(resource=lengths[early])], ignore_index=True) if early.any() else points
    )


def _refuse_open_ends(trials: pd.DataFrame) -> None:
    """ValueError if a trial did not run to its end."""
    stopped = trials.loc[trials["status"] == "stopped", "trial"].tolist()
    if stopped:
        raise ValueError(
            f"{len(stopped)} of {len(trials)} trials were stopped early ({_some(stopped)}): what they would have come "
            "to is not known, so no other way of stopping can be simulated; simulation needs trials that all ran to "
            f"their end (scheduler {' or '.join(scheduler_names(lambda kind: not kind.stops))})"
        )
    open_ones = trials.loc[trials["status"] != "finished", "trial"].tolist()
    if open_ones:
        raise ValueError(
            f"{len(open_ones)} of {len(trials)} trials did not finish ({_some(open_ones)}): simulation needs full "
            "curves of all of them"
        )


def _checked(points: pd.DataFrame, parts: int, objectives: Sequence[str]) -> pd.DataFrame:
    if parts < 1:
        raise ValueError(f"a schedule is divided into at least one part, received {parts}")
    missing = [name for name in ("run", "resource", "score", *objectives) if name not in points]
    if missing:
        raise ValueError(f"points lack the column(s) {', '.join(missing)}")
    if points.empty:
        raise ValueError("there are no points")
    table = points.assign(
        cost=points["cost"] if "cost" in points else points["resource"],
        configuration=points["configuration"] if "configuration" in points else points["run"],
    )
    for name in ("resource", "score", "cost", *objectives):
        bad = ~np.isfinite(table[name].to_numpy(dtype=np.float64))
        if bad.any():
            runs = table.loc[bad, "run"].drop_duplicates().astype(str).tolist()
            raise ValueError(
                f"{int(bad.sum())} points have no finite {name} (of run {_some(runs)}); give a run that broke off the "
                "score it is worth, or leave it out knowingly, which changes what is simulated"
            )
    unnamed = int(table["run"].isna().sum() + table["configuration"].isna().sum())
    if unnamed:
        raise ValueError(f"{unnamed} points name no run or configuration")
    return table.sort_values("resource", kind="stable")


def _one_run(
    run: str, part: pd.DataFrame, parts: int, best_so_far: bool, minimize: bool, objectives: Sequence[str]
) -> tuple[Floats, Floats, Floats]:
    """([T] values, [T] cumulative costs, [T, K] costs among the objectives)."""
    resource, score, cost = (part[name].to_numpy(dtype=np.float64) for name in ("resource", "score", "cost"))
    if resource[-1] <= 0 or resource[0] < 0:
        raise ValueError(f"run {run}: resources must rise from 0, received {resource[0]:g} to {resource[-1]:g}")
    if (np.diff(resource) == 0).any():
        raise ValueError(f"run {run} has two points at the same resource: is a seed or a run taken for another?")
    if cost[0] < 0 or (np.diff(cost) < 0).any():
        raise ValueError(f"run {run}: costs must be cumulative, but they fall or begin below 0")
    if best_so_far:
        score = np.minimum.accumulate(score) if minimize else np.maximum.accumulate(score)
    ends = np.arange(1, parts + 1) / parts
    # A third of a schedule of 3,000 steps ends at step 1,000, and not after it.
    at = np.minimum(np.searchsorted(raised(resource / resource[-1]), ends), resource.size - 1)
    return score[at], cost[at], part[list(objectives)].to_numpy(dtype=np.float64)[at]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
