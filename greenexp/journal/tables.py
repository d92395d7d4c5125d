"""`SweepTables` straight from a journal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from greenexp.errors import JournalError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.assemble import assemble
from greenexp.records.at_rest import LogitsNames, logits_at_rest
from greenexp.records.exit_tables import ExitTables
from greenexp.records.history import SweepHistory
from greenexp.records.stints import SessionSpan
from greenexp.records.tables import DecisionFacts, EpochFacts, HeldOutFacts, SweepFacts, SweepTables, TrialFacts
from greenexp.replay.kept import replayed


def read_tables(folder: Path, *, replay: bool = True) -> SweepTables:
    """The tables of the sweep in `folder`; JournalError if it has no readable journal, or an empty one.

    replay: also what is replayed from stored logits
    """
    state = SweepState(read_events(folder / NAME))
    if not state.header:
        raise JournalError(f"the journal in {folder} is empty: the sweep had not begun")
    tables = tables_of(state, folder if replay else None)
    if state.remark is None:
        return tables
    return dataclasses.replace(tables, remarks=dataclasses.replace(tables.remarks, journal=state.remark))


def tables_of(state: SweepState, folder: Path | None = None) -> SweepTables:
    """The tables of a sweep in a given state; see `sweep_facts`."""
    return assemble(sweep_facts(state, folder))


def sweep_facts(state: SweepState, folder: Path | None = None) -> SweepFacts:
    """The plain facts a state holds; the MLflow reader finds the same ones.

    folder: the sweep's, for what is replayed from the logits there
    """
    trials = state.trials.values()
    epochs = [
        (number, EpochFacts(trial.spec.trial, attempt, time - state.began, record))
        for trial in trials
        for number, (attempt, time, record) in enumerate(trial.reports)
    ]
    epochs.sort(key=lambda pair: (pair[1].time_s, pair[1].trial, pair[0]))
    return SweepFacts(
        spec=state.spec,
        history=_history(state),
        trials=tuple(_trial_facts(trial) for trial in trials),
        epochs=tuple(facts for _, facts in epochs),
        decisions=_decisions(state),
        held_out=_held_out(state),
        replays={} if folder is None else _replays(state, folder),
    )


def standing_logits(trial: TrialState) -> LogitsNames | None:
    """The names of the logits that stand for a trial; see `logits_at_rest`."""
    return logits_at_rest(trial.status, trial.records, (record for _, record in trial.held_out))


def _replays(state: SweepState, folder: Path) -> dict[str, ExitTables]:
    metric = state.spec.metric.name
    names = {trial.spec.trial: standing_logits(trial) for trial in state.trials.values()}
    return {
        trial: replayed(folder, standing, state.policies, metric)
        for trial, standing in names.items()
        if standing is not None
    }


def _held_out(state: SweepState) -> tuple[HeldOutFacts, ...]:
    found = [
        HeldOutFacts(trial.spec.trial, time - state.began, record)
        for trial in state.trials.values()
        for time, record in trial.held_out
    ]
    return tuple(sorted(found, key=lambda facts: (facts.time_s, facts.trial)))


def _history(state: SweepState) -> SweepHistory:
    return SweepHistory(
        name=state.header["name"],
        fingerprint=state.header["fingerprint"],
        began=state.began,
        elapsed_s=state.elapsed_s,
        complete=state.complete,
        limit=state.limit,
        policies=state.policies,
        sessions=tuple(dict(session.data) for session in state.sessions),
        metered=tuple(state.metered.values()),
        measured=tuple(state.measured),
        stints=state.stints.since(state.began),
        spans=_spans(state),
    )


def _spans(state: SweepState) -> tuple[SessionSpan, ...]:
    return tuple(
        SessionSpan(number, session.began - state.began, session.last - state.began, session.closed)
        for number, session in enumerate(state.sessions, start=1)
    )


def _trial_facts(trial: TrialState) -> TrialFacts:
    spec = trial.spec
    return TrialFacts(
        trial=spec.trial,
        configuration=spec.configuration,
        index=spec.index,
        fingerprint=spec.fingerprint,
        initialisation_seed=spec.seeds.initialisation,
        order_seed=spec.seeds.order,
        max_epochs=spec.settings.training.epochs,
        searched=spec.searched,
        status=trial.status,
        reason=trial.reason,
        attempts=trial.attempts,
        lost_wall_s=trial.lost_wall_s,
        started=trial.attempts > 0,
        lost=dict(trial.lost),
        broken=trial.broken,
        fold=None if spec.fold is None else spec.fold.number,
    )


def _decisions(state: SweepState) -> tuple[DecisionFacts, ...]:
    """In the order in which they fell."""
    decisions = [
        DecisionFacts(time - state.began, verdict)
        for trial in state.trials.values()
        for time, verdict in trial.verdicts
    ]
    return tuple(sorted(decisions, key=lambda d: (d.time_s, d.verdict.trial, d.verdict.rung or 0)))
