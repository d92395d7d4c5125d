"""Rows of a snapshot: what every reader of runs gives, and what their tags and metrics say of greenexp's sweeps."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from greenexp.tracking import names
from greenexp.tracking.snapshot_folder import KINDS, VALUES, Kept

COLUMNS = ("run_id", "experiment_id", "experiment", "name", "state", "start_s", "end_s", "lifecycle")
"""Of a run itself. state: MLflow's word; start_s, end_s: since 1970, NaN if there is none."""
PARAM, METRIC, TAG = range(len(KINDS))
HIDDEN = (names.MACHINE, names.EARLIER_JSON)
"""What the names of tags that only greenexp itself reads begin with: a snapshot leaves them out."""

Point = tuple[str, str, int, float | None]
"""Run id, metric, step, value; the value is None where it is no number."""

_TEXTS = {
    (TAG, names.KIND): "role",
    (TAG, names.SWEEP_ID): "sweep",
    (TAG, names.SWEEP_NAME): "sweep_name",
    (TAG, names.PARENT): "parent",
    (TAG, names.STATUS): "word",
    (TAG, names.CONTINUED): "continued",
    (PARAM, "metric.name"): "metric",
    (PARAM, "metric.mode"): "mode",
}
_NUMBERS = {(METRIC, "best_score"): "score", (METRIC, names.TIME): "reported_s"}
"""Latest metrics of a run; `reported_s`: when its last report was, in seconds after the sweep began."""
_NAMES = {**_TEXTS, **_NUMBERS}
FOUND = tuple(_NAMES.values())
"""Columns of `Found`."""


class RunSource(Protocol):
    """Where the runs of one MLflow are read."""

    def unchanged(self, marks: Mapping[str, Any], /) -> bool:
        """Whether it is certain, at no cost, that nothing has changed since a reading that left these marks."""

    def runs(self, before: Kept | None, /) -> tuple[pd.DataFrame, dict[str, Any]]:
        """(all runs there are, with COLUMNS; the marks of this reading)."""

    def changed(self, runs: pd.DataFrame, before: Kept, /) -> np.ndarray:
        """Which of these runs (one truth value each) may have other values than before; new ones need not be said."""

    def values(self, runs: pd.DataFrame, wanted: np.ndarray, /) -> Iterator[pa.Table]:
        """The values (VALUES) of some of these runs, in parts; `number` of `runs` are their numbers."""


def run_frame(rows: Sequence[Sequence[Any]], experiments: Mapping[str, str]) -> pd.DataFrame:
    """Rows (id, experiment id, name, state, start ms, end ms, lifecycle) as a frame with COLUMNS."""
    return frame_of(list(zip(*rows, strict=True)) if rows else [()] * 7, experiments)


def frame_of(columns: Sequence[Any], experiments: Mapping[str, str]) -> pd.DataFrame:
    """The same of columns in that order, each in any form that pandas takes."""
    run_id, experiment_id, name, state, start, end, lifecycle = columns
    codes, ids = pd.factorize(pd.Series(experiment_id, dtype=object))
    texts = [str(number) for number in ids]
    return pd.DataFrame({
        "run_id": pd.Series(run_id, dtype="str"),
        "experiment_id": pd.Series(texts, dtype="str").take(codes).reset_index(drop=True),
        "experiment": pd.Series([experiments[text] for text in texts], dtype="str").take(codes).reset_index(drop=True),
        "name": pd.Series(name, dtype="str").fillna(""),
        "state": pd.Series(state, dtype="str").fillna(""),
        "start_s": pd.Series(start, dtype="float64") / 1000,
        "end_s": pd.Series(end, dtype="float64") / 1000,
        "lifecycle": pd.Series(lifecycle, dtype="str").fillna(""),
    })  # fmt: skip


def values_table(kind: int, runs: Sequence[int], keys: Sequence[str], values: Sequence[Any]) -> pa.Table:
    """Values of one kind, from plain lists."""
    numbers = [math.nan if value is None else float(value) for value in values] if kind == METRIC else None
    return numbered(
        kind, pa.array(runs, pa.int32()), pa.array(keys, pa.string()), values if numbers is None else numbers
    )


def numbered(kind: int, run: Any, key: Any, value: Any) -> pa.Table:
    """Values of one kind as VALUES has them. An infinite metric is the largest float in MLflow's databases."""
    count = len(run)
    number, text = pa.nulls(count, pa.float64()), pa.nulls(count, pa.string())
    if kind == METRIC:
        found = value.to_numpy(zero_copy_only=False) if hasattr(value, "to_numpy") else np.asarray(value, np.float64)
        number = pa.array(np.where(np.abs(found) >= sys.float_info.max, np.copysign(np.inf, found), found))
    else:
        text = value if hasattr(value, "to_numpy") else pa.array(value, pa.string())
    return pa.table(
        [run, pa.array(np.full(count, kind, np.int8)), key, text, number], names=VALUES.names
    ).cast(VALUES)  # fmt: skip


@dataclass(slots=True)
class Found:
    """What values say of runs: part of which sweep, in which role; filled while the values pass."""

    said: dict[str, list[tuple[np.ndarray, list[Any]]]] = field(default_factory=dict)

    def passing(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables."""
        for table in tables:
            if table.num_rows:
                self._take(table)
                yield table

    def _take(self, table: pa.Table) -> None:
        table = table.unify_dictionaries()
        keys = table["key"].chunk(0).dictionary.to_pylist() if table["key"].num_chunks else []
        present = [(kind, key) for kind, key in _NAMES if key in keys]
        if not present:
            return
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in table["key"].chunks])
        kinds, runs = table["kind"].to_numpy(), table["run"].to_numpy()
        for kind, key in present:
            rows = np.flatnonzero((codes == keys.index(key)) & (kinds == kind))
            column = "number" if (kind, key) in _NUMBERS else "value"
            values = pc.take(table[column], pa.array(rows)).to_pylist()
            self.said.setdefault(_NAMES[kind, key], []).append((runs[rows], values))

    def columns(self, runs: pd.Series) -> pd.DataFrame:
        """FOUND of the runs with these numbers, "" and NaN where nothing is said."""
        place = pd.Series(np.arange(len(runs)), index=runs.to_numpy())
        frame: dict[str, Any] = {}
        for name in FOUND:
            is_number = name in _NUMBERS.values()
            column = np.full(len(runs), math.nan if is_number else "", dtype=float if is_number else object)
            for numbers, values in self.said.get(name, ()):
                column[place.reindex(numbers).to_numpy()] = values
            frame[name] = pd.Series(column, index=runs.index, dtype="float64" if is_number else "str")
        return pd.DataFrame(frame)
