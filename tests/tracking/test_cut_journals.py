"""A journal that lost its last lines after MLflow had them: MLflow then says what the journal says, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from edited_journals import Line, checked, lines_of
from mlflow_contents import Killed, doubled_steps, dump, dying
from small_sweeps import tiny_journal, write_journal

from greenexp.journal.file import NAME
from greenexp.tracking import names
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep

LATER_S = 1000.0


def write(folder: Path, lines: list[Line]) -> None:
    (folder / NAME).write_bytes(checked(lines))


def later(lines: list[Line]) -> list[Line]:
    """What a resumed sweep writes: the same again, at another time."""
    return [{**line, "t": line["t"] + LATER_S} for line in lines]


def writer_of(client: Any, experiment: str, folder: Path) -> RunWriter:
    tracked = TrackedSweep()
    tracked.take(JournalTail(folder).new_events())
    return RunWriter(client, experiment, tracked, folder=folder)


def anew(uri: str, client: Any, folder: Path, name: str) -> dict[Any, Any]:
    """What an MLflow that never saw anything else holds of the journal."""
    experiment = prepare(uri, name)
    writer_of(client, experiment, folder).write_changes(with_sweep=True)
    return dump(client, experiment)


def same(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    """MLflow takes no end back of a run that goes on: of those it may be an old one."""
    assert found.keys() == expected.keys()
    for key, run in expected.items():
        if run["end"] is None:
            found[key]["end"] = None
        assert found[key] == run, key
    assert doubled_steps(found) == []


@pytest.mark.parametrize("lost", [1, 3, 4, 6, 9, 14, 21, 30])
def test_what_was_lost_is_taken_back_and_what_is_done_again_stands_once(
    uri: str, client: Any, tmp_path: Path, lost: int
) -> None:
    write_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    experiment = prepare(uri, "cut")
    writer_of(client, experiment, tmp_path).write_changes(with_sweep=True)
    write(tmp_path, lines[:-lost])
    writer = writer_of(client, experiment, tmp_path)  # as a resumed sweep begins
    writer.write_changes(with_sweep=True)
    same(dump(client, experiment), anew(uri, client, tmp_path, "of what is left"))
    write(tmp_path, [*lines[:-lost], *later(lines[-lost:])])
    writer_of(client, experiment, tmp_path).write_changes(with_sweep=True)
    same(dump(client, experiment), anew(uri, client, tmp_path, "of what was done again"))


@pytest.mark.parametrize("lost", [2, 7, 12])
def test_a_sync_after_everything_was_done_again(uri: str, client: Any, tmp_path: Path, lost: int) -> None:
    write_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    sync(tmp_path, uri, "cut")
    write(tmp_path, [*lines[:-lost], *later(lines[-lost:])])
    assert len(sync(tmp_path, uri, "cut").remarks) == (lost > 2), "the last two lines are the sweep's end"
    same(dump(client, prepare(uri, "cut")), anew(uri, client, tmp_path, "anew"))
    assert sync(tmp_path, uri, "cut").remarks == ()


def test_a_writer_that_follows_the_resumed_sweep(uri: str, client: Any, tmp_path: Path) -> None:
    write_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    sync(tmp_path, uri, "cut")
    tracked, experiment = TrackedSweep(), prepare(uri, "cut")
    writer, tail = RunWriter(client, experiment, tracked, folder=tmp_path), JournalTail(tmp_path)
    for count in range(6, -1, -1):
        write(tmp_path, [*lines[:-6], *later(lines[-6 : len(lines) - count])])
        tracked.take(tail.new_events())
        writer.write_changes(with_sweep=True)
    same(dump(client, experiment), anew(uri, client, tmp_path, "anew"))


def test_killed_at_any_call_while_it_takes_back(uri: str, client: Any, tmp_path: Path) -> None:
    tiny_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    for number in range(0, 5, 2):
        write(tmp_path, lines)
        experiment = prepare(uri, f"killed-{number}")
        writer_of(client, experiment, tmp_path).write_changes(with_sweep=True)
        write(tmp_path, [*lines[:-2], *later(lines[-2:])])
        with pytest.raises(Killed):
            writer_of(dying(client, 3 + number, after=number > 2), experiment, tmp_path).write_changes(with_sweep=True)
        writer_of(client, experiment, tmp_path).write_changes(with_sweep=True)
        same(dump(client, experiment), anew(uri, client, tmp_path, f"anew-{number}"))


def test_notes_of_the_user_are_kept(uri: str, client: Any, tmp_path: Path) -> None:
    tiny_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    sync(tmp_path, uri, "noted")
    for run in client.search_runs([prepare(uri, "noted")]):
        client.set_tag(run.info.run_id, "mlflow.note.content", "look at this")
        client.set_tag(run.info.run_id, "reviewed by", "me")
        client.log_metric(run.info.run_id, "mine", 1.0)
    sync(tmp_path, uri, "noted")
    assert len(client.search_runs([prepare(uri, "noted")], "metrics.mine = 1")) == 4, "nothing had to be taken back"
    write(tmp_path, [*lines[:-2], *later(lines[-2:])])
    sync(tmp_path, uri, "noted")
    runs = client.search_runs([prepare(uri, "noted")])
    assert {run.data.tags["mlflow.note.content"] for run in runs} == {"look at this"}
    assert {run.data.tags["reviewed by"] for run in runs} == {"me"}


def test_what_was_taken_back_lies_among_the_deleted_runs_and_says_why(uri: str, client: Any, tmp_path: Path) -> None:
    from mlflow.entities import ViewType

    tiny_journal(tmp_path)
    lines = lines_of(tmp_path / NAME)
    sync(tmp_path, uri, "trash")
    write(tmp_path, lines[:3])
    sync(tmp_path, uri, "trash")
    deleted = client.search_runs([prepare(uri, "trash")], run_view_type=ViewType.DELETED_ONLY)
    assert len(deleted) == 3, "two trials and their configuration, of which nothing has begun"
    assert all(run.data.tags[names.TAKEN_BACK] for run in deleted)
    assert {run.info.status for run in deleted} <= {"FINISHED", "KILLED"}
