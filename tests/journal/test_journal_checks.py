"""Every line's check: what was changed after it was written is found, and said where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edited_journals import checked, lines_of, unchecked
from journal_events import begin, clock_of, epoch_record, report, trial_spec

from greenexp.errors import JournalError
from greenexp.journal.events import Event
from greenexp.journal.file import NAME, Journal, read_events
from greenexp.journal.lines import ChainedLines
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.tracking.tail import JournalTail

A = "c000-i0-o0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Seven lines."""
    with Journal(tmp_path / NAME, clock_of(100.0)) as journal:
        begin(journal, trial_spec(A))
        journal.append("started", trial=A, attempt=1, after=0)
        report(journal, A, epoch_record(1))
        journal.append("ended", trial=A, status="failed", reason="out of memory", lost_wall_s=0.5)
        journal.append("closed", status="finished")
    return tmp_path / NAME


def read(content: bytes) -> list[Event]:
    return list(ChainedLines(NAME).read(content.splitlines(keepends=True)))


def test_the_check_is_the_hash_that_the_documentation_says(path: Path) -> None:
    assert path.read_bytes() == checked(lines_of(path))
    assert all(event.checked for event in read_events(path))


def test_a_flipped_bit_of_every_byte_is_found_at_its_line(path: Path) -> None:
    content = path.read_bytes()
    for place in range(len(content)):
        line = content.count(b"\n", 0, place) + 1
        changed = content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]
        with pytest.raises(JournalError, match=rf"^journal\.jsonl:{line}: "):
            read(changed)


def test_every_missing_doubled_or_moved_line_is_found(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    for at in range(len(lines) - 1):
        for changed in (
            [*lines[:at], *lines[at + 1 :]],
            [*lines[: at + 1], *lines[at:]],
            [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
        ):
            with pytest.raises(JournalError, match=r"^journal\.jsonl:[1-8]: "):
                read(b"".join(changed))


def test_a_line_of_another_journal_is_found_though_its_number_fits(path: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "other" / NAME, clock_of(100.0)) as other:
        begin(other, trial_spec(A, epochs=3))
        other.append("started", trial=A, attempt=1, after=0)
    lines = path.read_bytes().splitlines(keepends=True)
    foreign = other.path.read_bytes().splitlines(keepends=True)[3]
    with pytest.raises(JournalError, match=r"^journal\.jsonl:4: .*check"):
        read(b"".join([*lines[:3], foreign, *lines[4:]]))


@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_line_that_has_lost_its_check_is_found(path: Path, at: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    bare = json.loads(lines[at])
    del bare["check"]
    lines[at] = json.dumps(bare, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(JournalError, match=rf"^journal\.jsonl:{at + 1}: "):
        read(b"".join(lines))


def test_what_follows_a_damaged_line_is_not_written(path: Path) -> None:
    content = path.read_bytes().replace(b"out of memory", b"out of coffee")
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.jsonl:6: "):
        Journal(path)
    assert path.read_bytes() == content


def test_a_torn_line_is_cut_off_and_its_length_known(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with Journal(path) as journal:
        assert journal.torn_b == len(content.splitlines()[-1]) - 19
        journal.append("closed", status="finished")
    assert [event.kind for event in read_events(path)][-2:] == ["ended", "closed"]


def test_a_journal_of_an_earlier_version_is_read_and_said_to_be_unchecked(path: Path) -> None:
    events, state = list(read_events(path)), SweepState(read_events(path))
    assert (state.remark, read_tables(path.parent).remarks.journal) == (None, "")
    path.write_bytes(unchecked(lines_of(path)))
    old = SweepState(read_events(path))
    assert list(read_events(path))[1:] == events[1:]
    assert (old.trials, old.unchecked, old.lines) == (state.trials, 7, 7)
    assert "unchecked" in (old.remark or "")
    assert read_tables(path.parent).remarks.journal == old.remark


def test_an_unchecked_journal_that_goes_on_is_covered_from_there(path: Path) -> None:
    path.write_bytes(unchecked(lines_of(path)))
    with Journal(path, clock_of(200.0)) as journal:
        journal.append("session", number=2)
        journal.append("closed", status="finished")
    content, state = path.read_bytes(), SweepState(read_events(path))
    assert (state.unchecked, state.lines) == (7, 9)
    assert "first 7 lines" in (state.remark or "")
    lines = content.splitlines(keepends=True)
    end = len(b"".join(lines[:7]))
    for place in range(0, len(content), 3):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        with pytest.raises(JournalError, match=r"^journal\.jsonl:[1-9]: "):
            read(changed)
    score = content.replace(b'"score":0.5', b'"score":0.7')
    assert score.find(b'"score":0.7') < end
    with pytest.raises(JournalError, match=r"^journal\.jsonl:8: .*before it.*check"):
        read(score)


@pytest.mark.parametrize("cut", [10, 300, 1500])
def test_a_follower_checks_across_its_calls_and_finds_damage_again(path: Path, cut: int) -> None:
    content = path.read_bytes()
    whole = list(read_events(path))
    path.write_bytes(content[:cut])
    tail = JournalTail(path.parent)
    first = tail.new_events()
    path.write_bytes(content.replace(b"out of memory", b"out of coffee"))
    for _ in range(2):
        with pytest.raises(JournalError, match=r"journal\.jsonl:6: "):
            tail.new_events()
    path.write_bytes(content)
    assert [*first, *tail.new_events()] == whole


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"t":', b'"t":1' + b"0" * 5000 + b",\"u\":"),
        lambda line: line.replace(b'"trial":"', b'"trial":"\xff'),
        lambda line: line.replace(b'"attempt":1', b'"attempt":' + b"[" * 100_000),
        lambda line: line.replace(b'"attempt":1', b'"attempt":NaN'),
        lambda line: line.replace(b'"attempt":1', b'"attempt":1e999'),
        lambda line: line.replace(b'"t":103.0', b'"t":[1]'),
        lambda line: line.replace(b'"t":103.0', b'"t":1e300'),
        lambda line: line.replace(b'"kind":"started"', b'"kind":{"a":1}'),
        lambda line: line.replace(b'"n":3', b'"n":true'),
        lambda line: line.replace(b'"n":3', b'"n":3.0'),
    ],
)  # fmt: skip
def test_lines_that_a_parser_may_trip_over(path: Path, change: Change) -> None:
    lines = [line + b"\n" for line in unchecked(lines_of(path)).splitlines()]
    damaged = change(lines[3])
    assert damaged != lines[3]
    with pytest.raises(JournalError, match=r"^journal\.jsonl:4: "):
        read(b"".join([*lines[:3], damaged, *lines[4:]]))


@pytest.mark.parametrize("field", ["name", "fingerprint", "format", "spec"])
def test_a_first_line_that_lacks_a_field(path: Path, field: str) -> None:
    lines = lines_of(path)
    del lines[0][field]
    with pytest.raises(JournalError, match=rf"^journal\.jsonl:1: .*{field}"):
        read(checked(lines))
