"""The journal's file: what is appended is there, whatever happens next."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_events import JSON_VALUES, NAMES, clock_of

from greenexp.errors import JournalError
from greenexp.journal.events import Event, parse_line
from greenexp.journal.file import Journal, read_events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "journal.jsonl"


def fill(path: Path, count: int = 3) -> bytes:
    with Journal(path) as journal:
        for number in range(count):
            journal.append("limit", axis="epochs", used=number, limit=0.5)
    return path.read_bytes()


def test_events_come_back_as_they_were_appended(path: Path) -> None:
    with Journal(path, clock_of(1.5, 1_790_000_000.12345678)) as journal:
        written = [
            journal.append("search_done"),
            journal.append("ended", trial="é\u2028中", status="failed", lost_wall_s=1 / 3, lost=None),
        ]
        assert journal.events == written
    assert list(read_events(path)) == written
    assert [(event.number, event.time) for event in written] == [(0, 1.5), (1, 1_790_000_000.123457)]


def test_a_clock_that_is_set_back_leaves_times_in_order_and_durations_right(path: Path) -> None:
    """Between two sessions; within one, the clock of the machine is read once."""
    with Journal(path, clock_of(1_000.0, 1_005.0)) as journal:
        journal.append("search_done")
        journal.append("search_done")
    with Journal(path, clock_of(400.0, 403.5)) as journal:
        journal.append("search_done")
        journal.append("search_done")
        assert journal.now() == 1_009.5
    assert [event.time for event in read_events(path)] == [1_000.0, 1_005.0, 1_005.0, 1_008.5]


def test_a_clock_that_is_set_within_a_session_is_not_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path) as journal:
        first = journal.append("search_done").time
        monkeypatch.setattr("time.time", lambda: 0.0)
        assert 0 <= journal.append("search_done").time - first < 60


@given(st.dictionaries(NAMES, JSON_VALUES, max_size=4), st.floats(0, 4e9))
def test_any_event_survives_its_line(facts: dict[str, object], time: float) -> None:
    event = Event(7, round(time, 6), "session", {"number": 1, "machine": facts})
    assert parse_line(event.to_line(), 7, "x") == event


def test_a_line_is_readable_json_with_its_place_first(path: Path) -> None:
    line = fill(path, 1).decode()
    assert line.endswith("\n")
    assert list(json.loads(line))[:3] == ["n", "t", "kind"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_refused_and_nothing_is_written(path: Path, value: float) -> None:
    before = fill(path)
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="cannot be recorded"):
            journal.append("limit", axis="epochs", used=value, limit=1)
        assert path.read_bytes() == before
        journal.append("closed", status="finished")
    assert [event.number for event in read_events(path)] == [0, 1, 2, 3]


def test_text_that_is_no_unicode_stays_readable(path: Path) -> None:
    """A worker's error may quote a file name that is not UTF-8; tables and terminals take nothing but Unicode."""
    reason = b"no such file: \xff.txt".decode("utf-8", "surrogateescape")
    with Journal(path) as journal:
        journal.append("ended", trial="a", status="failed", reason=reason)
        in_memory = list(journal.events)
    found = list(read_events(path))
    assert found == in_memory
    assert found[0].data["reason"] == "no such file: \\udcff.txt"


@given(cut=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    whole = fill(path)
    last = whole.splitlines(keepends=True)[-1]
    torn = whole[: -min(cut, len(last))]
    path.write_bytes(torn)
    assert [event.number for event in read_events(path)] == [0, 1]
    with Journal(path) as journal:
        assert journal.append("closed", status="finished").number == 2
    assert [event.kind for event in read_events(path)] == ["limit", "limit", "closed"]


def test_a_torn_first_line_is_an_empty_journal(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"n":0,"t":1')
    assert list(read_events(path)) == []
    with Journal(path) as journal:
        assert journal.append("closed", status="finished").number == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0], b"\x00\xff garbage\n", lines[2]], r"journal\.jsonl:2:.*JSON"),
        (lambda lines: [lines[0], lines[1][:-10] + b"\n", lines[2]], r"journal\.jsonl:2:.*JSON"),
        (lambda lines: [lines[0], lines[2]], r"journal\.jsonl:2:.*event 2.*event 1"),
        (lambda lines: [lines[0], lines[0], lines[1]], r"journal\.jsonl:2:.*event 0.*event 1"),
        (lambda lines: [lines[0], b"[1]\n", lines[2]], r"journal\.jsonl:2:.*event"),
        (lambda lines: [lines[0], b"\n", lines[2]], r"journal\.jsonl:2:.*JSON"),
        (lambda lines: [lines[0].replace(b"limit", b"lymit", 1)], r"journal\.jsonl:1:.*'lymit'"),
    ],
)
def test_damage_in_the_middle_is_named_and_nothing_is_touched(path: Path, damage: object, message: str) -> None:
    lines = fill(path).splitlines(keepends=True)
    content = b"".join(damage(lines))  # type: ignore[operator]  # the table above holds plain lambdas
    path.write_bytes(content)
    with pytest.raises(JournalError, match=message):
        list(read_events(path))
    with pytest.raises(JournalError, match=message):
        Journal(path)
    assert path.read_bytes() == content
    path.write_bytes(b"".join(lines))
    Journal(path).close()  # the lock was let go


def test_two_writers(path: Path) -> None:
    with Journal(path) as journal:
        with pytest.raises(JournalError, match="another greenexp run"):
            Journal(path)
        journal.append("closed", status="finished")
    Journal(path).close()


def test_another_process_is_kept_out_too(path: Path) -> None:
    code = "import sys; from pathlib import Path; from greenexp.journal.file import Journal; Journal(Path(sys.argv[1]))"
    with Journal(path):
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "JournalError: another greenexp run" in done.stderr


def test_reading_needs_no_lock(path: Path) -> None:
    with Journal(path) as journal:
        journal.append("closed", status="finished")
        assert len(list(read_events(path))) == 1


def test_an_append_is_synced_before_it_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(path.read_bytes())

    with Journal(path) as journal:
        monkeypatch.setattr(os, "fsync", fsync)
        journal.append("closed", status="finished")
        assert synced == [path.read_bytes()]
        assert synced[0].endswith(b"\n")


def test_the_name_of_a_new_journal_is_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inodes = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (inodes.append(os.fstat(descriptor).st_ino), real(descriptor)))
    Journal(path).close()
    assert path.parent.stat().st_ino in inodes


def test_a_disk_that_refuses_is_told_and_what_was_written_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.append("limit", axis="epochs", used=1, limit=1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match=r"No space left on device.*--resume"):
        journal.append("limit", axis="wall_s", used=1, limit=1)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="is closed"):
        journal.append("closed", status="finished")
    assert len(journal.events) == 1, "a refused event never happened"
    journal.close()
    assert next(read_events(path)).data == {"axis": "epochs", "used": 1, "limit": 1}


FULL = """
import resource, signal, sys
from pathlib import Path
from greenexp.errors import JournalError
from greenexp.journal.file import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
count = 0
try:
    while True:
        journal.append("ended", trial="x" * 50, status="failed")
        count += 1
except JournalError as error:
    journal.close()
    sys.stdout.write(f"{count} {error}")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on file sizes here")
def test_a_disk_that_is_full_in_the_middle_of_a_line(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    count, _, message = done.stdout.partition(" ")
    assert "cannot write" in message
    assert path.stat().st_size == 2000, "the last line was torn"
    assert len(list(read_events(path))) == int(count) > 10
    with Journal(path) as journal:  # there is room again
        journal.append("closed", status="finished")
    assert [event.number for event in read_events(path)] == list(range(int(count) + 1))


WRITER = """
import sys
from pathlib import Path
from greenexp.journal.file import Journal
journal = Journal(Path(sys.argv[1]))
while True:
    event = journal.append("ended", trial="é" * (len(journal.events) * 37 % 500), status="failed")
    sys.stdout.write(f"{event.number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 2, 7, 23, 61])
def test_killed_while_writing_nothing_acknowledged_is_lost(path: Path, after: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(after):
        line = writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read()
    writer.wait()
    writer.stdout.close()
    acknowledged = int((line + rest).split()[-1])
    events = list(read_events(path))
    assert len(events) >= acknowledged + 1
    with Journal(path) as journal:  # the lock died with the writer
        assert len(journal.events) == len(events)
        journal.append("closed", status="finished")
    assert [event.number for event in read_events(path)] == list(range(len(events) + 1))


def test_a_reader_beside_a_writer_never_sees_damage(path: Path) -> None:
    with Journal(path) as journal:
        long = {"trial": "x" * 3000, "status": "failed"}
        writer = threading.Thread(target=lambda: [journal.append("ended", **long) for _ in range(200)])
        writer.start()
        seen = [0]
        while writer.is_alive():
            seen.append(len(list(read_events(path))))
        writer.join()
    assert seen == sorted(seen)
    assert len(list(read_events(path))) == 200


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot write in"):
        Journal(tmp_path / "file" / "journal.jsonl")


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        list(read_events(tmp_path / "journal.jsonl"))
