"""The configurations of a sweep with several objectives: which no other dominates, and how much they dominate.

A configuration counts with the means over its seeds, if all its seeds trained to their end and every objective is known
of each. It is on the front if no other that counts is at least as good in all objectives and better in one.

The hypervolume after n configurations is the volume that the first n to end dominate, up to the reference point, which
is the worst value of each objective among all that count. It is of this search as it went: no expectation over
searches, and no estimate of what another search would reach. The means are those that the search chose by, so the front
is too good on average, as the best score is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
from greenexp.analysis.sweeps.configurations import configuration_states
from greenexp.records.objectives import SCORE, directions_of
from greenexp.records.tables import OBJECTIVES, PARAMS, SweepTables

MOST_POINTS = 200


@dataclass(frozen=True, eq=False)
class ObjectiveFront:
    """The front of a sweep over its objectives.

    objectives: their names, the score first; directions: `max` or `min` of each
    table: a row per configuration, in the order in which they ended: configuration, `params.<path>`, state, a column
        per objective (mean over seeds, NaN where it does not count), counts, on_front
    curve: configurations (n that count), hypervolume; empty where nothing counts or it cannot be computed
    reference: objective -> its worst value; refusal: why there is no hypervolume, or ""
    """

    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    table: pd.DataFrame
    curve: pd.DataFrame
    reference: dict[str, float]
    refusal: str = ""

    @property
    def front(self) -> pd.DataFrame:
        """The rows on the front, the best score first."""
        rows = self.table[self.table["on_front"]]
        return rows.sort_values(SCORE, ascending=self.directions[0] == "min", kind="stable").reset_index(drop=True)


def objective_front(tables: SweepTables) -> ObjectiveFront:
    """See the module; with one objective, the front is the best configuration."""
    names: tuple[str, ...] = tables.spec.objectives
    directions = tuple(directions_of(names, tables.spec.metric.mode).values())
    table = _table(tables, list(names))
    points = table.loc[table["counts"], list(names)].to_numpy(dtype=np.float64)
    table["on_front"] = False
    if not len(points):
        empty = pd.DataFrame(columns=["configurations", "hypervolume"])
        return ObjectiveFront(names, directions, table, empty, {}, "no configuration has all its objectives")
    table.loc[table["counts"], "on_front"] = pareto_front(points, directions)
    worst = [points[:, k].min() if way == "max" else points[:, k].max() for k, way in enumerate(directions)]
    curve, refusal = _curve(points, worst, directions)
    reference = dict(zip(names, map(float, worst), strict=True))
    return ObjectiveFront(names, directions, table, curve, reference, refusal)


def _curve(points: np.ndarray, worst: list[float], directions: tuple[str, ...]) -> tuple[pd.DataFrame, str]:
    """The hypervolume of the first n, and why there is none; of many n some, evenly spaced."""
    sizes = np.unique(np.linspace(1, len(points), min(len(points), MOST_POINTS)).round().astype(int))
    try:
        values = [hypervolume(points[:n], worst, directions) for n in sizes]
    except ValueError as error:
        return pd.DataFrame(columns=["configurations", "hypervolume"]), str(error)
    return pd.DataFrame({"configurations": sizes, "hypervolume": values}), ""


def _table(tables: SweepTables, names: list[str]) -> pd.DataFrame:
    """The rows of `ObjectiveFront.table` without `on_front`."""
    trials = tables.trials
    states = {name: state for name, (state, _) in configuration_states(trials).items()}
    columns = [SCORE if name == SCORE else OBJECTIVES + name for name in names]
    groups = trials.groupby("configuration", sort=False)
    means = groups[columns].mean().where(groups[columns].count().eq(groups.size(), axis=0))
    last = tables.epochs.groupby("configuration")["time_s"].max()
    order = sorted(states, key=lambda name: float(last.get(name, np.inf)))
    params = [PARAMS + path for path in tables.parameters]
    searched = trials.drop_duplicates("configuration").set_index("configuration")[params].reindex(order).reset_index()
    frame = searched.assign(state=[states[name] for name in order])
    complete = frame["state"] == "complete"
    for name, column in zip(names, columns, strict=True):
        frame[name] = means[column].reindex(order).where(complete.to_numpy()).to_numpy()
    return frame.assign(counts=frame[names].notna().all(axis=1))
