"""What a run says of the journal that it goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest
from climb import Climb
from edited_journals import lines_of, unchecked
from growing_sweeps import a_plan, session
from told import tells

from greenexp.api.running import journal_remarks
from greenexp.journal.file import NAME
from greenexp.searches import SEARCHES
from greenexp.spec import resolved
from greenexp.tuning.opening import open_sweep


def said(folder: Path) -> list[str]:
    plan = a_plan("search.proposals=2")
    sweep = open_sweep(plan, resolved(plan.spec), folder)
    sweep.journal.close()
    return list(journal_remarks(sweep))


def test_a_torn_line_and_missing_checks_are_said_and_a_whole_journal_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    session(tmp_path, "search.proposals=2")
    assert said(tmp_path) == []
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + whole[:25])
    torn = said(tmp_path)
    assert len(torn) == 1
    assert tells(torn[0], "25 bytes")
    assert (tmp_path / NAME).read_bytes() == whole
    (tmp_path / NAME).write_bytes(unchecked(lines_of(tmp_path / NAME)))
    old = said(tmp_path)
    assert len(old) == 1
    assert tells(old[0], "unchecked")
