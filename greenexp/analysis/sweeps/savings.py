"""What early stopping stopped, and the training it saved.

Where configurations are the unit of decision, a failed seed ends the others of its configuration. They were ended by
the failure: they count neither as stopped nor as saved here, and their verdicts are not those of a comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.sweeps.scheduling import recorded_scheduler
from greenexp.records.progress import Epochs, sum_of_epochs
from greenexp.records.tables import SweepTables

COLUMNS = ("bracket", "rung", "trials", "configurations", "went_on", "stopped", "waiting", "last_cutoff")


@dataclass(frozen=True, slots=True)
class Savings:
    """Epochs run and not run.

    trials: planned trials; finished, stopped: trials that ended so; abandoned: those ended since another seed of their
        configuration failed
    planned_epochs: what all planned trials would train without early stopping
    run_epochs: different epochs trained; repeated_epochs: trained again after a crash
    saved_epochs: not trained because a trial was stopped; ended_epochs: because it had ended by its own patience
        (`training.patience`), which is no doing of the scheduler; open_epochs: not trained for another reason (failed,
        abandoned, interrupted, not started)
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


def savings(tables: SweepTables) -> Savings:
    """Epochs planned = run + saved + ended + open, over all planned trials."""
    trials = tables.trials
    ended = abandoned(tables)
    stopped = (trials["status"] == "stopped") & ~ended
    finished = trials["status"] == "finished"
    left = trials["max_epochs"] - trials["epochs"]
    return Savings(
        trials=len(trials),
        finished=int(finished.sum()),
        stopped=int(stopped.sum()),
        abandoned=int(ended.sum()),
        planned_epochs=sum_of_epochs(trials["max_epochs"]),
        run_epochs=sum_of_epochs(trials["epochs"]),
        repeated_epochs=sum_of_epochs(tables.epochs["repeated"] / tables.spec.training.reports_per_epoch),
        saved_epochs=sum_of_epochs(left[stopped]),
        open_epochs=sum_of_epochs(left[~stopped & ~finished]),
        ended=int((finished & (left > 0)).sum()),
        ended_epochs=sum_of_epochs(left[finished]),
    )


def rung_table(tables: SweepTables) -> pd.DataFrame:
    """One row per bracket and rung: how many entered, went on, were stopped, still wait.

    bracket; rung (epoch); trials, configurations: that got a verdict there; went_on, stopped, waiting: trials by their
    last verdict at that rung (a paused trial gets a second one); last_cutoff: of the latest verdict that had one, in
    the metric's unit. Verdicts at a trial's own last epoch are left out: nothing is left to stop. So are those that
    ended a trial because another seed failed.
    """
    given = tables.decisions.dropna(subset=["rung"]).sort_values("time_s", kind="stable")
    given = given[~(given["configuration"].isin(_ended_by_failure(tables)) & (given["action"] == "stop"))]
    lengths = tables.trials.set_index("trial")["max_epochs"]
    given = given[given["rung"].astype("float64") < given["trial"].map(lengths).astype("float64")]
    rows = []
    for _, verdicts in given.groupby(["bracket", "rung"], sort=True):
        last = verdicts.drop_duplicates("trial", keep="last")
        actions = last["action"].value_counts()
        cutoffs = verdicts["cutoff"].dropna()
        rows.append(
            {
                "bracket": int(last["bracket"].iloc[0]),
                "rung": last["rung"].iloc[0],
                "trials": len(last),
                "configurations": int(last["configuration"].nunique()),
                "went_on": int(actions.get("go_on", 0)),
                "stopped": int(actions.get("stop", 0)),
                "waiting": int(actions.get("pause", 0)),
                "last_cutoff": float(cutoffs.iloc[-1]) if len(cutoffs) else float("nan"),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def abandoned(tables: SweepTables) -> pd.Series[bool]:
    """Per trial: whether it was ended because another seed of its configuration failed."""
    trials = tables.trials
    return (trials["status"] == "stopped") & trials["configuration"].isin(_ended_by_failure(tables))


def _ended_by_failure(tables: SweepTables) -> set[str]:
    """Configurations with a failed seed; none where every trial is judged for itself."""
    if recorded_scheduler(tables).per_trial:
        return set()
    return set(tables.trials.loc[tables.trials["status"] == "failed", "configuration"])
