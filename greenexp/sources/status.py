"""Where a sweep stands: how many trials are where, what has been used, what is best so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from greenexp.records.history import LimitReached
from greenexp.records.priced import PriceFact, recorded_price
from greenexp.records.tables import SweepTables
from greenexp.records.totals import CostTotals
from greenexp.sources.folders import JOURNAL, sweep_folder
from greenexp.sources.forecast import Forecast, forecast

if TYPE_CHECKING:
    from greenexp.journal.state import SweepState


PARTS = ("trials", "overhead", "unattributed")
"""Of what an energy meter counted; see `MeteredDevice`."""


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The trial with the best dev score so far, of those that did not fail."""

    trial: str
    score: float


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """Where a sweep stands.

    name: of the sweep, None where nothing is on record; folder: where it lies
    state: `not begun`, `planned`, `running or killed`, `interrupted`, `limit` or `finished`
    trials: status -> number of trials; given_up: those of the stopped ones that never began
    used: budget axis -> amount in its unit, None where it was not measured; limits: axis -> limit
    lost: what of it no report covers, or was done twice; reserved: what running trials are expected to use until their
        next reports, on the axes with a limit
    limit_reached: the limit that ended it; elapsed_s: while a driver was at work; sessions: number of drivers so far
    price: axis -> its price when the sweep began, {} where none is on record
    failures: trial -> why it failed; remark: what is to be known of the journal itself, None if nothing is
    forecast: how far it is, and how long it is expected to go on
    reports: evaluations on dev so far; decisions: `go_on`, `pause` or `stop` -> how often the scheduler said it
    trial_energy_j: trial -> joules over all its attempts, of those whose energy was measured
    metered_j: `trials`, `overhead` and `unattributed` -> joules of what the sampler divided, {} without one
    last_event: time of the latest event of a session, in seconds since 1970
    mlflow_behind: events of the journal that MLflow has not, None where nobody follows the writer
    """

    name: str | None
    folder: str
    state: str
    trials: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, float | None] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    limit_reached: LimitReached | None = None
    elapsed_s: float = 0.0
    sessions: int = 0
    best: BestTrial | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    given_up: int = 0
    remark: str | None = None
    lost: Mapping[str, float | None] = field(default_factory=dict)
    reserved: Mapping[str, float] = field(default_factory=dict)
    price: Mapping[str, PriceFact] = field(default_factory=dict)
    forecast: Forecast = field(default_factory=Forecast)
    reports: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)
    trial_energy_j: Mapping[str, float] = field(default_factory=dict)
    metered_j: Mapping[str, float] = field(default_factory=dict)
    last_event: float | None = None
    mlflow_behind: int | None = None


def read_state(folder: str | Path) -> SweepState:
    """The state that a sweep's journal comes to. InputError for a folder without one, JournalError for damage."""
    from greenexp.journal.file import read_events
    from greenexp.journal.state import SweepState

    return SweepState(read_events(sweep_folder(folder) / JOURNAL))


def sweep_status(state: SweepState, folder: Path) -> SweepStatus:
    """The status of a sweep from its state."""
    from greenexp.journal.budget import lost, reserved, used

    best, metered = state.best, tuple(state.metered.values())
    return SweepStatus(
        name=state.header.get("name"),
        folder=str(folder),
        state=_stage(state),
        trials=dict(Counter(trial.status for trial in state.trials.values())),
        used=used(state),
        limits=state.spec.budget.limits() if state.header else {},
        limit_reached=state.limit,
        elapsed_s=state.elapsed_s,
        sessions=len(state.sessions),
        best=None if best is None or best.score is None else BestTrial(best.spec.trial, best.score),
        failures={trial.spec.trial: trial.reason for trial in state.trials.values() if trial.status == "failed"},
        given_up=sum(trial.given_up for trial in state.trials.values()),
        remark=state.remark,
        lost=lost(state) if state.header else {},
        reserved=reserved(state) if state.header else {},
        price=recorded_price(session.data for session in state.sessions),
        forecast=forecast(state),
        reports=state.reports_run,
        decisions=dict(Counter(str(verdict.action) for t in state.trials.values() for _, verdict in t.verdicts)),
        trial_energy_j=_trial_energy(state),
        metered_j={part: sum(getattr(d, f"{part}_j") for d in metered) for part in PARTS} if metered else {},
        last_event=state.sessions[-1].last if state.sessions else None,
    )


def _trial_energy(state: SweepState) -> dict[str, float]:
    """Trial -> joules, of those that have some on record."""
    found = {}
    for name, trial in state.trials.items():
        joules = CostTotals.of((record.costs for _, _, record in trial.reports), [trial.lost]).total("energy_j")
        if joules is not None:
            found[name] = joules
    return found


def _stage(state: SweepState) -> str:
    if not state.header:
        return "not begun: the journal is empty"
    if state.complete:
        return "finished"
    closed = state.sessions[-1].closed if state.sessions else None
    return closed or ("running or killed" if state.sessions else "planned")


def status_of_tables(tables: SweepTables, source: str) -> SweepStatus:
    """The status of a sweep from its tables, as MLflow has them; `source` stands for its folder."""
    history, trials, ledger = tables.history, tables.trials, tables.ledger.set_index("axis")
    ranked = trials[trials["status"] != "failed"].dropna(subset=["score"])
    ranked = ranked.sort_values("score", ascending=tables.spec.metric.mode == "min", kind="stable")
    best = BestTrial(str(ranked["trial"].iloc[0]), float(ranked["score"].iloc[0])) if len(ranked) else None
    failed = trials[trials["status"] == "failed"]
    over = "limit" if history.limit else "interrupted"
    measured = trials.dropna(subset=["energy_j"])
    return SweepStatus(
        name=history.name,
        folder=source,
        state="finished" if history.complete else over,
        trials={str(name): int(count) for name, count in trials["status"].value_counts(sort=False).items()},
        used={str(axis): None if pd.isna(used) else float(used) for axis, used in ledger["used"].items()},
        limits=tables.spec.budget.limits(),
        limit_reached=history.limit,
        elapsed_s=history.elapsed_s or 0.0,
        sessions=len(history.sessions),
        best=best,
        failures=dict(zip(failed["trial"], failed["reason"], strict=True)),
        lost={
            str(axis): None if pd.isna(lost) else float(lost)
            for axis, lost in ledger["lost"].items()
            if axis != "trials"
        },
        price=recorded_price(history.sessions),
        forecast=Forecast(share=1.0, remaining_s=0.0) if history.complete else Forecast(),
        reports=len(tables.epochs),
        decisions={str(action): int(n) for action, n in tables.decisions["action"].value_counts(sort=False).items()},
        trial_energy_j=dict(zip(measured["trial"], measured["energy_j"].astype(float), strict=True)),
        metered_j={part: float(tables.energy[f"{part}_j"].sum()) for part in PARTS} if len(tables.energy) else {},
    )
