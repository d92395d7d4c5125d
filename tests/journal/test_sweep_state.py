"""Replaying a journal gives back where the sweep stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from journal_events import RECORDS, SPEC, TRIALS, begin, clock_of, epoch_record, report, trial_spec

from greenexp.errors import JournalError
from greenexp.journal.events import KINDS, Event
from greenexp.journal.file import Journal, read_events
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.decision import Action, Verdict
from greenexp.records.epoch import EpochRecord
from greenexp.records.history import LimitReached
from greenexp.records.trial import TrialSpec

A, B = "c000-i0-o0", "c000-i1-o0"
SETTINGS = trial_spec(A).to_json()["settings"]
WRONG_SETTINGS = {**SETTINGS, "training": {**SETTINGS["training"], "epochs": "many"}}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl", clock_of(100.0)) as opened:
        begin(opened, trial_spec(A), trial_spec(B, 1))  # 100 sweep, 101 session, 102 and 103 trials
        yield opened


def state_of(journal: Journal) -> SweepState:
    """Replayed from the file; the events in memory must say the same."""
    replayed = SweepState(read_events(journal.path))
    in_memory = SweepState(journal.events)
    assert replayed.trials == in_memory.trials
    assert replayed.elapsed_s == in_memory.elapsed_s
    assert replayed.spent == in_memory.spent
    return replayed


def trial_of(journal: Journal, name: str = A) -> TrialState:
    return state_of(journal).trials[name]


@given(RECORDS)
def test_epoch_records_survive_json(record: EpochRecord) -> None:
    event = Event(0, 0.0, "report", {"record": record.to_json()})
    import json

    assert EpochRecord.from_json(json.loads(event.to_line())["record"]) == record


@given(TRIALS)
def test_trial_specs_survive_json(spec: TrialSpec) -> None:
    import json

    line = Event(0, 0.0, "trial", {"spec": spec.to_json()}).to_line()
    again = TrialSpec.from_json(json.loads(line)["spec"])
    assert again == spec
    assert (
        TrialSpec(again.trial, again.configuration, 0, again.settings, {}, again.seeds).fingerprint == spec.fingerprint
    )


def test_verdicts_survive_json() -> None:
    verdict = Verdict(A, Action.STOP, 3, 0.5, None, 1, "below")
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_every_kind_of_event_is_understood() -> None:
    assert {f"_on_{kind}" for kind in KINDS} <= set(dir(SweepState))


def test_a_planned_trial(journal: Journal) -> None:
    trial = trial_of(journal)
    assert (trial.status, trial.attempts, trial.epoch, trial.score, trial.ended) == ("planned", 0, 0, None, False)


def test_a_trial_line_replaces_an_earlier_one_and_keeps_its_reports(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1))
    journal.append("trial", spec=trial_spec(A, epochs=27).to_json())
    trial = trial_of(journal)
    assert trial.spec.settings.training.epochs == 27
    assert trial.epoch == 1


def test_running_then_finished(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1, 0.5))
    assert trial_of(journal).status == "running"
    report(journal, A, epoch_record(2, 0.6, last=True))
    trial = trial_of(journal)
    assert (trial.status, trial.epoch, trial.score, trial.ended) == ("finished", 2, 0.6, True)


def test_a_pause_is_no_new_attempt_and_keeps_its_checkpoint(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1))
    journal.append("decision", **Verdict(A, Action.PAUSE, 1, 0.5).to_json())
    journal.append("paused", trial=A, epoch=1, checkpoint="checkpoints/a/1")
    trial = trial_of(journal)
    assert (trial.status, trial.checkpoint) == ("paused", (1, "checkpoints/a/1"))
    journal.append("started", trial=A, attempt=1, after=1)
    assert (trial_of(journal).status, trial_of(journal).attempts) == ("running", 1)


def test_a_trial_stopped_while_it_is_being_paused_stays_stopped(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1))
    journal.append("decision", **Verdict(A, Action.STOP, 1, 0.1, 0.2, reason="below").to_json())
    journal.append("paused", trial=A, epoch=1, checkpoint="x")
    trial = trial_of(journal)
    assert (trial.status, trial.reason) == ("stopped", "below")
    assert [verdict.action for _, verdict in trial.verdicts] == [Action.STOP]


def test_an_attempt_that_repeats_epochs_replaces_records_and_keeps_reports(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1, 0.5))
    report(journal, A, epoch_record(2, 0.6))
    journal.append("ended", trial=A, status="interrupted", reason="worker died", lost_wall_s=4.0)
    assert (trial_of(journal).status, trial_of(journal).lost_wall_s) == ("interrupted", 4.0)
    journal.append("started", trial=A, attempt=2, after=1)
    report(journal, A, epoch_record(2, 0.7), attempt=2)
    state = state_of(journal)
    trial = state.trials[A]
    assert (trial.status, trial.reason, trial.attempts) == ("running", "", 2)
    assert [(attempt, record.epoch) for attempt, _, record in trial.reports] == [(1, 1), (1, 2), (2, 2)]
    assert (trial.score, state.epochs_run, state.spent.total("wall_s")) == (0.7, 3, 3.0)


def test_a_driver_that_died_leaves_its_trials_interrupted_and_their_time_lost(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)  # 104
    report(journal, A, epoch_record(1))  # 105
    journal.append("started", trial=B, attempt=1, after=0)  # 106
    report(journal, B, epoch_record(1))  # 107, the last sign of life
    assert trial_of(journal).status == "running"
    journal._clock = clock_of(500.0)
    journal.append("session", number=2)
    state = state_of(journal)
    assert [(t.status, t.lost_wall_s) for t in state.trials.values()] == [("interrupted", 2.0), ("interrupted", 0.0)]
    assert "driver" in state.trials[A].reason


def test_time_between_sessions_does_not_count(journal: Journal) -> None:
    journal.append("closed", status="interrupted")  # 104
    journal._clock = clock_of(1000.0)
    journal.append("session", number=2)  # 1000
    journal.append("started", trial=A, attempt=1, after=0)  # 1001
    state = state_of(journal)
    assert state.elapsed_s == (104 - 101) + (1001 - 1000)
    assert [session.closed for session in state.sessions] == ["interrupted", None]


def test_policies_are_added_between_sessions_at_no_time(journal: Journal) -> None:
    journal.append("session", number=1)
    journal.append("closed", status="finished")
    before = state_of(journal)
    assert before.policies == ("max_probability", "patience"), "a journal of before section replay has the default"
    journal.append("replay", policies=["oracle", "patience"])
    journal.append("replay", policies=[{"name": "entropy", "normalised": True}])
    after = state_of(journal)
    assert after.policies == ("max_probability", "patience", "oracle", {"name": "entropy", "normalised": True})
    assert after.elapsed_s == before.elapsed_s
    assert after.sessions[-1].closed == "finished"


def test_a_limit_is_forgotten_by_the_next_session(journal: Journal) -> None:
    journal.append("limit", axis="epochs", used=10, limit=10)
    assert state_of(journal).limit == LimitReached("epochs", 10, 10)
    journal.append("session", number=2)
    assert state_of(journal).limit is None


def test_complete_means_every_trial_ended(journal: Journal) -> None:
    assert not SweepState().complete
    for name, status in ((A, "finished"), (B, "failed")):
        assert not state_of(journal).complete
        journal.append("ended", trial=name, status=status, reason="", lost_wall_s=None)
    assert state_of(journal).complete


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("report", {"trial": A, "attempt": 1, "record": {"epoch": 1}}, r"jsonl:5: event 'report': record\.step"),
        ("report", {"trial": [A], "attempt": 1, "record": epoch_record(1).to_json()}, r"jsonl:5: .*trial: .*text"),
        ("decision", {"trial": A, "action": "jump"}, r"jsonl:5: event 'decision': action: .*jump"),
        ("trial", {}, r"jsonl:5: event 'trial': spec"),
        ("replay", {"policies": "patience"}, r"jsonl:5: event 'replay': policies: .*a list"),
        ("paused", {"trial": A, "epoch": 1, "checkpoint": "x", "colour": 1}, r"jsonl:5: .*colour: .*newer"),
        ("sweep", {"format": 99, "name": "s"}, "jsonl:5: .*99.*2"),
        ("sung", {}, "jsonl:5: .*'sung'.*newer"),
        ("closed", {"status": "finished", "check": "x"}, "check"),
    ],
)
def test_an_event_that_no_reader_would_accept_is_not_written(
    journal: Journal, kind: str, data: dict[str, object], message: str
) -> None:
    before = journal.path.read_bytes()
    with pytest.raises(JournalError, match=message):
        journal.append(kind, **data)
    assert journal.path.read_bytes() == before
    assert journal.append("closed", status="finished").number == 4


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("report", {"trial": "nobody", "attempt": 1, "record": epoch_record(1).to_json()}, "nobody"),
        ("trial", {"spec": {**trial_spec(A).to_json(), "settings": WRONG_SETTINGS}}, "training.epochs"),
        ("proposal", {"number": 3, "configuration": "c000", "values": {}}, "3.*0"),
        ("sweep", {"format": 2, "name": "s", "fingerprint": "f", "spec": {**SPEC, "scheduler": {}}}, "scheduler.name"),
    ],
)
def test_events_that_make_no_sense_are_named(
    journal: Journal, kind: str, data: dict[str, object], message: str
) -> None:
    journal.append(kind, **data)
    with pytest.raises(JournalError, match=rf"journal\.jsonl:5: event 4 \('{kind}'\): .*{message}"):
        SweepState(read_events(journal.path))


def test_a_journal_begins_with_its_sweep(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.append("session", number=1)
        with pytest.raises(JournalError, match=r"'session'.*'sweep'"):
            SweepState(journal.events)


def test_replay_in_two_parts_is_replay(journal: Journal) -> None:
    journal.append("started", trial=A, attempt=1, after=0)
    report(journal, A, epoch_record(1))
    events = list(read_events(journal.path))
    for cut in range(len(events) + 1):
        state = SweepState(events[:cut])
        for event in events[cut:]:
            state.apply(event)
        assert state.trials == state_of(journal).trials
