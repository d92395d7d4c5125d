"""`SweepTables` straight from a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.assemble import assemble
from greenexp.records.tables import EpochFacts, SweepFacts, SweepTables, TrialFacts


def read_tables(folder: Path) -> SweepTables:
    """The tables of the sweep in `folder`; JournalError if it has no readable journal."""
    return tables_of(SweepState(read_events(folder / NAME)))


def tables_of(state: SweepState) -> SweepTables:
    """The tables of a sweep in a given state."""
    return assemble(sweep_facts(state))


def sweep_facts(state: SweepState) -> SweepFacts:
    """The plain facts a state holds; the MLflow reader finds the same ones."""
    trials = state.trials.values()
    epochs = [
        (number, EpochFacts(trial.spec.trial, attempt, time - state.began, record))
        for trial in trials
        for number, (attempt, time, record) in enumerate(trial.reports)
    ]
    epochs.sort(key=lambda pair: (pair[1].time_s, pair[1].trial, pair[0]))
    return SweepFacts(
        spec=state.spec,
        facts=_facts(state),
        trials=tuple(_trial_facts(trial) for trial in trials),
        epochs=tuple(facts for _, facts in epochs),
        decisions=tuple(_decisions(state)),
    )


def _facts(state: SweepState) -> dict[str, Any]:
    return {
        "name": state.header["name"],
        "fingerprint": state.header["fingerprint"],
        "began": state.began,
        "elapsed_s": state.elapsed_s,
        "complete": state.complete,
        "limit": dict(state.limit) if state.limit else None,
        "sessions": [dict(session.data) for session in state.sessions],
    }


def _trial_facts(trial: TrialState) -> TrialFacts:
    spec = trial.spec
    return TrialFacts(
        trial=spec.trial,
        configuration=spec.configuration,
        index=spec.index,
        fingerprint=spec.fingerprint,
        initialisation_seed=spec.seeds.initialisation,
        order_seed=spec.seeds.order,
        max_epochs=spec.settings["training"]["epochs"],
        searched=spec.searched,
        status=trial.status,
        reason=trial.reason,
        attempts=trial.attempts,
        lost_wall_s=trial.lost_wall_s,
        started=trial.attempts > 0,
    )


def _decisions(state: SweepState) -> list[dict[str, Any]]:
    rows = [
        {**verdict.to_json(), "time_s": time - state.began}
        for trial in state.trials.values()
        for time, verdict in trial.verdicts
    ]
    return sorted(rows, key=lambda row: (row["time_s"], row["trial"], row["rung"] or 0))
