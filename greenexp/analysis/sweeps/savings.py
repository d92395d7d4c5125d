"""What early stopping stopped, and the training it saved.

Where configurations are the unit of decision, a failed seed ends the others of its configuration. They were ended by
the failure: they count neither as stopped nor as saved here, and their verdicts are not those of a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.configurations import is_given_up
from greenexp.analysis.sweeps.scheduling import recorded_scheduler
from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs, sum_of_epochs
from greenexp.records.tables import SweepTables

COLUMNS = (
    "bracket", "rung", "seeds", "trials", "configurations", "went_on", "stopped", "waiting", "joined", "given_up",
    "last_cutoff", "noise",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Savings:
    """Epochs run and not run.

    trials: planned trials; finished, stopped: trials that ended so; abandoned: those ended since another seed of their
        configuration failed; given_up: those that never began, since their configuration was stopped before their turn
    planned_epochs: what all planned trials would train without early stopping
    run_epochs: different epochs trained; repeated_epochs: trained again after a crash
    saved_epochs: not trained because a trial was stopped or given up; ended_epochs: because it had ended by its own
        patience (`training.patience`), which is no doing of the scheduler; open_epochs: not trained for another reason
        (failed, abandoned, interrupted, not started)
    ended: trials, of the finished ones, that ended by patience
    """

    trials: int
    finished: int
    stopped: int
    abandoned: int
    planned_epochs: Epochs
    run_epochs: Epochs
    repeated_epochs: Epochs
    saved_epochs: Epochs
    open_epochs: Epochs
    ended: int = 0
    ended_epochs: Epochs = 0
    given_up: int = 0


def savings(tables: SweepTables) -> Savings:
    """Epochs planned = run + saved + ended + open, over all planned trials."""
    trials = tables.trials
    ended = abandoned(tables)
    saved = (trials["status"] == "stopped") & ~ended
    given_up = saved & is_given_up(trials)
    finished = trials["status"] == "finished"
    left = trials["max_epochs"] - trials["epochs"]
    return Savings(
        trials=len(trials),
        finished=int(finished.sum()),
        stopped=int((saved & ~given_up).sum()),
        abandoned=int(ended.sum()),
        planned_epochs=sum_of_epochs(trials["max_epochs"]),
        run_epochs=sum_of_epochs(trials["epochs"]),
        repeated_epochs=sum_of_epochs(tables.epochs["repeated"] / tables.spec.training.reports_per_epoch),
        saved_epochs=sum_of_epochs(left[saved]),
        open_epochs=sum_of_epochs(left[~saved & ~finished]),
        ended=int((finished & (left > 0)).sum()),
        ended_epochs=sum_of_epochs(left[finished]),
        given_up=int(given_up.sum()),
    )


def rung_table(tables: SweepTables) -> pd.DataFrame:
    """One row per bracket and rung: how many entered, went on, were stopped, still wait.

    bracket; rung (epoch, or level of the scheduler's resource); seeds: how many counted there (NA: not on record)
    trials, configurations: that got a verdict there
    went_on, stopped, waiting: trials by their last verdict at that rung (a paused trial gets a second one)
    joined, given_up: trials of later seeds, which are not in `trials`: those whose turn came as their configuration
        went on, and those that never began
    last_cutoff: of the latest verdict that had one; noise: of the latest that had one, the standard error of the
        difference of two means there; both in the metric's unit
    Verdicts at a trial's own last epoch are left out: nothing is left to stop, unless the rungs count seeds. So are
    those that ended a trial because another seed failed.
    """
    given = tables.decisions.dropna(subset=["rung"]).sort_values("time_s", kind="stable")
    given = given[~(given["configuration"].isin(_ended_by_failure(tables)) & (given["action"] == "stop"))]
    trials = tables.trials.set_index("trial")
    if recorded_scheduler(tables).resource != EPOCHS:
        given = given.dropna(subset=["level"]).assign(rung=lambda table: table["level"])
        before_end = given["level"].notna()
    else:
        before_end = given["rung"].astype("float64") < given["trial"].map(trials["max_epochs"]).astype("float64")
    # At the last epoch rungs differ by their seeds alone; elsewhere a rung has its epoch.
    given = given.assign(race=given["seeds"].where(~before_end, 0))[before_end | given["seeds"].notna()]
    if given.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    number = trials.sort_values("index").groupby("configuration", sort=False).cumcount()
    given = given.assign(later=given["trial"].map(number) >= given["seeds"].fillna(len(trials)))
    rows = [_rung_row(verdicts) for _, verdicts in given.groupby(["bracket", "rung", "race"], sort=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seeds": "Int64"})


def _rung_row(verdicts: pd.DataFrame) -> dict[str, Any]:
    """The row of `rung_table` of the verdicts at one rung."""
    last = verdicts.drop_duplicates("trial", keep="last")
    here, later = (last.loc[last["later"] == side, "action"].value_counts() for side in (False, True))
    seeds = verdicts["seeds"].dropna()
    latest = {name: verdicts[name].dropna() for name in ("cutoff", "noise")}
    return {
        "bracket": int(last["bracket"].iloc[0]),
        "rung": last["rung"].iloc[0],
        "seeds": int(seeds.max()) if len(seeds) else pd.NA,
        "trials": int(here.sum()),
        "configurations": int(last["configuration"].nunique()),
        "went_on": int(here.get("go_on", 0)),
        "stopped": int(here.get("stop", 0)),
        "waiting": int(here.get("pause", 0)),
        "joined": int(later.get("go_on", 0)),
        "given_up": int(later.get("stop", 0)),
        "last_cutoff": float(latest["cutoff"].iloc[-1]) if len(latest["cutoff"]) else float("nan"),
        "noise": float(latest["noise"].iloc[-1]) if len(latest["noise"]) else float("nan"),
    }


def abandoned(tables: SweepTables) -> pd.Series[bool]:
    """Per trial: whether it was ended because another seed of its configuration failed."""
    trials = tables.trials
    return (trials["status"] == "stopped") & trials["configuration"].isin(_ended_by_failure(tables))


def _ended_by_failure(tables: SweepTables) -> set[str]:
    """Configurations with a failed seed; none where every trial is judged for itself."""
    if recorded_scheduler(tables).per_trial:
        return set()
    return set(tables.trials.loc[tables.trials["status"] == "failed", "configuration"])
