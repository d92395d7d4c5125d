"""The journal's events say when trials held workers and when drivers were at work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_events import begin, clock_of, epoch_record, report, trial_spec

from greenexp.journal.file import Journal
from greenexp.journal.state import SweepState
from greenexp.journal.tables import tables_of
from greenexp.records.decision import Action, Verdict
from greenexp.records.epoch import Costs
from greenexp.records.stints import DRIVER_ENDED

A, B = "c000-i0-o0", "c000-i1-o0"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl", clock_of(100.0)) as opened:
        begin(opened, trial_spec(A), trial_spec(B, 1))  # 100 sweep, 101 session, 102 and 103 trials
        yield opened


def start(journal: Journal, trial: str, attempt: int = 1, after: int = 0, **beside: list[str]) -> None:
    journal.append("started", trial=trial, attempt=attempt, after=after, **beside)


def stints(journal: Journal) -> list[tuple[str, int, float, float | None, str]]:
    history = tables_of(SweepState(journal.events)).history
    return [(one.trial, one.attempt, one.began_s, one.ended_s, one.end) for one in history.stints]


def test_a_stint_ends_with_the_last_report(journal: Journal) -> None:
    start(journal, A)  # 104
    report(journal, A, epoch_record(1))
    report(journal, A, epoch_record(2, last=True))  # 106
    assert stints(journal) == [(A, 1, 4.0, 6.0, "finished")]


def test_a_pause_ends_a_stint_and_the_trial_has_another(journal: Journal) -> None:
    start(journal, A)  # 104
    report(journal, A, epoch_record(1))
    journal.append("paused", trial=A, attempt=1, epoch=1, checkpoint="x")  # 106
    start(journal, A, after=1)  # 107
    assert stints(journal) == [(A, 1, 4.0, 6.0, "paused"), (A, 1, 7.0, None, "")]


def test_a_verdict_to_stop_ends_a_stint_and_a_later_end_changes_nothing(journal: Journal) -> None:
    start(journal, A)  # 104
    report(journal, A, epoch_record(1))
    journal.append("decision", **Verdict(A, Action.STOP, 1, 0.5, 0.6).to_json())  # 106
    journal.append("ended", trial=A, status="stopped")
    assert stints(journal) == [(A, 1, 4.0, 6.0, "stopped")]


def test_a_failure_is_how_a_stint_ended(journal: Journal) -> None:
    start(journal, A)  # 104
    journal.append("ended", trial=A, attempt=1, status="failed", reason="loss is NaN")  # 105
    assert stints(journal) == [(A, 1, 4.0, 5.0, "failed")]


def test_a_dead_driver_ends_stints_at_its_last_event(journal: Journal) -> None:
    start(journal, A)  # 104
    report(journal, A, epoch_record(1))  # 105
    journal.append("session", number=2)  # 106
    start(journal, A, attempt=2)  # 107
    assert stints(journal) == [(A, 1, 4.0, 5.0, DRIVER_ENDED), (A, 2, 7.0, None, "")]
    spans = tables_of(SweepState(journal.events)).history.spans
    assert [(one.number, one.began_s, one.last_s, one.closed) for one in spans] == [
        (1, 1.0, 5.0, None),
        (2, 6.0, 7.0, None),
    ]


def start_together(journal: Journal, attempt: int = 1) -> None:
    start(journal, A, attempt, beside=[B])
    start(journal, B, attempt, beside=[A])


def lost(journal: Journal) -> list[float]:
    return [trial.lost_wall_s for trial in SweepState(journal.events).trials.values()]


def test_seeds_that_share_a_worker_share_what_is_lost_with_it(journal: Journal) -> None:
    start_together(journal)  # 104, 105
    report(journal, A, epoch_record(1))  # 106
    report(journal, B, epoch_record(1))  # 107
    journal.append("energy", devices=[])  # 108, the driver's last word
    journal.append("session", number=2)
    assert lost(journal) == [1.0, 0.5]
    assert SweepState(journal.events).stints.sharing(A) == 2, "those who died together, until they are handed out anew"
    start(journal, A, 2)
    assert [SweepState(journal.events).stints.sharing(name) for name in (A, B, "c001-i0-o0")] == [1, 1, 1]


@pytest.mark.parametrize("left", ["failed", "stopped", "at its end", "paused"])
def test_a_seed_that_has_left_the_worker_has_no_part_in_its_loss(journal: Journal, left: str) -> None:
    start_together(journal)  # 104, 105
    report(journal, A, epoch_record(1))  # 106
    if left == "failed":
        told = dataclasses.asdict(Costs(1.0))
        journal.append("ended", trial=B, attempt=1, status="failed", reason="nan", lost_wall_s=1.0, lost=told)
    elif left == "stopped":
        journal.append("decision", **Verdict(B, Action.STOP, 1, 0.5, 0.6).to_json())
    elif left == "paused":
        journal.append("paused", trial=B, attempt=1, epoch=1, checkpoint="x")
    else:
        report(journal, B, epoch_record(1, last=True))
    journal.append("energy", devices=[])  # 108
    journal.append("session", number=2)
    assert lost(journal)[0] == 2.0


def test_a_seed_whose_worker_died_counts_until_all_of_its_seeds_are_on_record(journal: Journal) -> None:
    start_together(journal)
    died = {"attempt": 1, "reason": "worker died", "lost": None}
    journal.append("ended", trial=A, status="failed", lost_wall_s=3.0, **died)
    assert SweepState(journal.events).stints.sharing(B) == 2
    journal.append("ended", trial=B, status="interrupted", lost_wall_s=3.0, **died)
    start(journal, B, 2)
    assert SweepState(journal.events).stints.sharing(B) == 1


def test_they_are_no_part_of_what_two_records_are_compared_by(journal: Journal) -> None:
    before = tables_of(SweepState(journal.events)).history
    start(journal, A)
    after = tables_of(SweepState(journal.events)).history
    assert before.stints != after.stints
    assert before.elapsed_s != after.elapsed_s
    assert dataclasses.replace(after, elapsed_s=before.elapsed_s) == before
