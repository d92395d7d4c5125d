"""All runs of an MLflow, and the sweeps of greenexp among them, as tables that are kept and brought up to date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from greenexp.errors import TrackingError
from greenexp.extras import require

if TYPE_CHECKING:
    from greenexp.tracking.snapshot import RunsSnapshot

FOREIGN = "foreign"
_COUNTS = ["trials", "finished", "stopped", "failed", "running"]
_SWEEP_COLUMNS = [
    "sweep", "name", "experiment", "experiment_id", "run_id", "status", "trials", "finished", "stopped", "failed",
    "running", "best", "metric", "start_s", "reported_s", "end_s",
]  # fmt: skip


@dataclass(frozen=True)
class Snapshot:
    """What an MLflow held when it was read.

    runs: one row per run, deleted ones too: run_id, experiment_id, experiment (its name), name, parent (run id or ""),
        role (sweep, configuration, trial, or foreign: not written by greenexp), sweep (its id, "" of a foreign run),
        status (greenexp's word where it wrote one: finished, stopped, failed, running, paused, interrupted ...; else
        MLflow's in lower case), start_s, end_s (since 1970, NaN: none), lifecycle (active or deleted)
    sweeps: one row per sweep of greenexp, the latest first: sweep (its id), name, experiment, experiment_id, run_id
        (of its own run), status, trials (that have a run), of which finished, stopped, failed and running; best (dev
        score of its best trial that did not fail, NaN: none yet), metric, start_s, reported_s (of its last report,
        after its start; NaN: none yet), end_s. A sweep that goes on at another place is in the row of that place
    read_s: how long this reading took; changed: runs read anew
    """

    runs: pd.DataFrame
    sweeps: pd.DataFrame
    read_s: float
    changed: int
    _source: RunsSnapshot = field(repr=False, compare=False)

    def values(self, run_ids: Iterable[str]) -> pd.DataFrame:
        """Parameters, latest metrics and tags of some runs, a row for each: run_id, kind, key, value, number.

        kind: `param`, `metric` or `tag`; value: as text; number: the same where it is a number, else NaN. Tags that
        only greenexp itself reads are left out. Raises TrackingError where a file of the cache has been damaged since;
        the next snapshot is then made anew.
        """
        from greenexp.tracking.snapshot import forget
        from greenexp.tracking.snapshot_folder import KINDS

        known = self._source.kept.runs
        chosen = known[known["run_id"].isin(list(run_ids))]
        try:
            table = self._source.kept.values(chosen["number"].to_numpy())
        except (OSError, ValueError, KeyError) as error:
            forget(self._source)
            raise TrackingError(
                f"the snapshot in {self._source.folder} is damaged and will be made anew: {error}"
            ) from error
        ids = chosen.set_index("number")["run_id"]
        kind = table["kind"].to_numpy()
        number = table["number"].to_numpy(zero_copy_only=False).astype(np.float64)
        text = pd.Series(table["value"].to_pylist(), dtype=object)
        metric = kind == KINDS.index("metric")
        text[metric] = [repr(float(value)) for value in number[metric]]
        number[~metric] = pd.to_numeric(text[~metric], errors="coerce")
        return pd.DataFrame({
            "run_id": ids.reindex(table["run"].to_numpy()).to_numpy(),
            "kind": np.array(KINDS, dtype=object)[kind],
            "key": table["key"].to_pylist(),
            "value": text.astype("str"),
            "number": number,
        })  # fmt: skip


def snapshot(uri: str, *, folder: Path | None = None) -> Snapshot:
    """All runs of the MLflow at `uri`; from the second time on only what has changed is read.

    uri: sqlite:///..., postgresql://..., http(s)://...; folder: where the cache lies (default: the user's)
    Raises TrackingError where MLflow cannot be read, MissingExtraError where it is not installed.
    """
    require("mlflow")
    from greenexp.tracking.snapshot import read_snapshot

    read = read_snapshot(uri, folder)
    known = read.kept.runs
    runs = known[["run_id", "experiment_id", "experiment", "name", "parent"]].assign(
        role=known["role"].where(known["role"] != "", FOREIGN),
        sweep=known["sweep"],
        status=known["word"].where(known["word"] != "", known["state"].str.lower()),
        start_s=known["start_s"],
        end_s=known["end_s"],
        lifecycle=known["lifecycle"],
    )
    return Snapshot(runs, _sweeps(known, runs["status"]), read.read_s, read.changed, read)


def _sweeps(known: pd.DataFrame, status: pd.Series[Any]) -> pd.DataFrame:
    """A row per sweep, from the active runs of the experiment in which it is recorded now."""
    active = known.assign(status=status)[known["lifecycle"] == "active"]
    own = active[active["role"] == "sweep"]
    own = own.assign(moved=own["continued"] != "").sort_values(["moved", "start_s", "run_id"], kind="stable")
    own = own.drop(columns="reported_s").drop_duplicates("sweep").sort_values("start_s", ascending=False, kind="stable")
    place = ["sweep", "experiment_id"]
    trials = active[active["role"] == "trial"].merge(own[[*place, "mode"]], on=place, suffixes=("_own", ""))
    sign = np.where(trials["mode"] == "min", -1.0, 1.0)
    scored = (trials["score"] * sign).where(trials["status"] != "failed")
    found = trials.assign(signed=scored, trials=1)
    for word in _COUNTS[1:]:
        found[word] = (found["status"] == word).astype(int)
    counted = found.groupby("sweep")[_COUNTS].sum()
    table = own.set_index("sweep").join(counted)
    table[_COUNTS] = table[_COUNTS].fillna(0).astype(int)
    best = found.groupby("sweep")["signed"].max().reindex(table.index)
    table["best"] = best * np.where(table["mode"] == "min", -1.0, 1.0)
    table["reported_s"] = found.groupby("sweep")["reported_s"].max().reindex(table.index)
    table["name"] = table["sweep_name"].where(table["sweep_name"] != "", table["name"])
    return table.reset_index()[_SWEEP_COLUMNS]
