"""A journal that grows, or is replaced, under the eyes of who follows it."""

from __future__ import annotations

from pathlib import Path

from stand_ins import a_record, a_trial

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.sources.following import FollowedSweep
from greenexp.sources.status import read_state, sweep_status

TRIAL = a_trial(0, 0, 1)


def begin(journal: Journal, name: str) -> None:
    spec = {"name": name, "task": {"name": "clauses"}, "metric": {"name": "accuracy"}}
    journal.append("sweep", format=FORMAT, name=name, fingerprint="f", spec=spec)
    journal.append("trial", spec=TRIAL.to_json())
    journal.append("session", number=1)


def test_each_look_has_what_was_added_and_equals_a_fresh_reading(tmp_path: Path) -> None:
    followed = FollowedSweep(tmp_path)
    assert followed.status().state.startswith("not begun")
    with Journal(tmp_path / NAME) as journal:
        begin(journal, "s")
        assert followed.status().trials == {"planned": 1}
        journal.append("started", trial=TRIAL.trial, attempt=1, after=0)
        for epoch in (1, 2):
            journal.append("report", trial=TRIAL.trial, attempt=1, record=a_record(TRIAL, epoch).to_json())
            assert followed.status().reports == epoch
            assert followed.status() == sweep_status(read_state(tmp_path), tmp_path)
        assert followed.lines == 6


def test_another_journal_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    followed = FollowedSweep(tmp_path)
    with Journal(tmp_path / NAME) as journal:
        begin(journal, "before")
    assert followed.status().name == "before"
    (tmp_path / NAME).rename(tmp_path / "aside")
    assert followed.status().name is None
    with Journal(tmp_path / NAME) as journal:
        begin(journal, "afterwards")
    assert followed.status().name == "afterwards"
