"""Killed between any two MLflow calls, then synced: MLflow holds what it would hold of an undisturbed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow_contents import Killed, counting, doubled_steps, dump, dying, failing
from small_sweeps import Sweep, standard_events, ticking, tiny_journal, trial_spec, write_journal

from greenexp.journal.file import Journal
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.runs import IDENTITY
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep

WRITES = ("create_run", "log_batch", "set_terminated", "update_run", "log_text")


def tracked_sweep_of(folder: Path) -> TrackedSweep:
    tracked = TrackedSweep()
    tracked.take(JournalTail(folder).new_events())
    return tracked


def level(client: Any, experiment: str, folder: Path) -> None:
    RunWriter(client, experiment, tracked_sweep_of(folder)).write_changes(with_sweep=True)


@pytest.fixture
def undisturbed(uri: str, client: Any, sweep_folder: Path) -> dict[Any, Any]:
    experiment = prepare(uri, "undisturbed")
    level(client, experiment, sweep_folder)
    return dump(client, experiment)


def test_a_second_sync_changes_nothing_and_writes_nothing(uri: str, client: Any, sweep_folder: Path) -> None:
    experiment = prepare(uri, "twice")
    level(client, experiment, sweep_folder)
    before = dump(client, experiment)
    watched = counting(client)
    level(watched, experiment, sweep_folder)
    assert dump(client, experiment) == before
    assert set(watched.calls) == {"search_runs"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_then_synced(uri: str, client: Any, tmp_path: Path, after: bool) -> None:
    tiny_journal(tmp_path)
    experiment = prepare(uri, "undisturbed")
    watched = counting(client)
    level(watched, experiment, tmp_path)
    undisturbed = dump(client, experiment)
    assert {"search_runs", "create_run", "log_batch", "set_terminated", "log_text"} <= set(watched.calls)
    for number in range(len(watched.calls)):
        experiment = prepare(uri, f"killed-{number}")
        with pytest.raises(Killed):
            level(dying(client, number, after=after), experiment, tmp_path)
        level(client, experiment, tmp_path)
        contents = dump(client, experiment)
        assert contents == undisturbed, f"killed at call {number}: {watched.calls[number]}"
        assert doubled_steps(contents) == []


def test_a_writer_killed_again_and_again_while_the_sweep_grows(uri: str, client: Any, tmp_path: Path) -> None:
    experiment = prepare(uri, "grows")
    with Sweep(tmp_path) as sweep:
        kills = 0
        for stage, _ in enumerate(standard_events(sweep)):
            try:
                level(dying(client, 2 + stage, after=bool(stage % 2)), experiment, tmp_path)
            except Killed:
                kills += 1
        assert kills > 4
    level(client, experiment, tmp_path)
    other = prepare(uri, "at once")
    level(client, other, tmp_path)
    assert dump(client, experiment) == dump(client, other)


def test_a_writer_that_follows_gives_the_same_as_one_sync(uri: str, client: Any, tmp_path: Path) -> None:
    experiment, tracked = prepare(uri, "follows"), TrackedSweep()
    follower = RunWriter(client, experiment, tracked)
    with Sweep(tmp_path) as sweep:
        tail = JournalTail(tmp_path)
        for _ in standard_events(sweep):
            tracked.take(tail.new_events())
            follower.write_changes(with_sweep=True)
    other = prepare(uri, "at once")
    level(client, other, tmp_path)
    assert dump(client, experiment) == dump(client, other)


def test_answers_that_get_lost_do_not_double_anything(
    uri: str, client: Any, sweep_folder: Path, undisturbed: dict[Any, Any]
) -> None:
    experiment, tracked = prepare(uri, "lost"), tracked_sweep_of(sweep_folder)
    unlucky = failing(client, lambda count, name: count % 3 == 0 and name in WRITES, after=True)
    writer = RunWriter(unlucky, experiment, tracked)
    for _ in range(200):
        try:
            writer.write_changes(with_sweep=True)
            break
        except ConnectionError:
            continue
    assert dump(client, experiment) == undisturbed


def test_a_run_that_was_made_twice_is_hidden(
    uri: str, client: Any, sweep_folder: Path, undisturbed: dict[Any, Any]
) -> None:
    experiment = prepare(uri, "doubled")
    level(client, experiment, sweep_folder)
    for run in client.search_runs([experiment]):  # as if every `create_run` had been repeated by a proxy
        tags = {name: text for name, text in run.data.tags.items() if name in IDENTITY}
        client.create_run(experiment, run.info.start_time, tags, run.info.run_name)
    level(client, experiment, sweep_folder)
    assert dump(client, experiment) == undisturbed


def test_runs_that_somebody_deletes_come_back(
    uri: str, client: Any, sweep_folder: Path, undisturbed: dict[Any, Any]
) -> None:
    experiment, tracked = prepare(uri, "deleted"), tracked_sweep_of(sweep_folder)
    writer = RunWriter(client, experiment, tracked)
    writer.write_changes(with_sweep=True)
    for run in client.search_runs([experiment], "tags.`greenexp.kind` != 'configuration'"):
        client.delete_run(run.info.run_id)
    tracked.state.sessions[-1].last += 1  # anything that makes the next pass write
    with pytest.raises(Exception, match="must be in the 'active' state"):
        writer.write_changes(with_sweep=True)
    tracked.state.sessions[-1].last -= 1
    writer.write_changes(with_sweep=True)
    assert dump(client, experiment) == undisturbed


def test_one_log_batch_per_report(uri: str, client: Any, tmp_path: Path) -> None:
    trial = trial_spec(0, 0)
    tracked, watched = TrackedSweep(), counting(client)
    follower = RunWriter(watched, prepare(uri, "one by one"), tracked)
    with Sweep(tmp_path) as sweep:
        tail = JournalTail(tmp_path)
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        tracked.take(tail.new_events())
        follower.write_changes(with_sweep=False)
        watched.calls.clear()
        for epoch in range(1, 5):
            sweep.report(trial.trial, epoch)
            sweep.decide(trial.trial, "go_on", epoch)
            tracked.take(tail.new_events())
            follower.write_changes(with_sweep=False)
            assert watched.calls == ["log_batch"]
            watched.calls.clear()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_journal_any_kills(uri: str, tmp_path: Path, data: st.DataObject) -> None:
    client = connect(uri)
    folder = tmp_path / data.draw(st.uuids()).hex
    experiment = prepare(uri, folder.name)
    trials = [trial_spec(c, s) for c in range(2) for s in range(2)]
    attempt, epoch = dict.fromkeys(range(4), 0), dict.fromkeys(range(4), 0)
    with Sweep(folder, ticking()) as sweep:
        sweep.session()
        sweep.plan(*trials)
        for _ in range(data.draw(st.integers(1, 12))):
            which = data.draw(st.integers(0, 3))
            if attempt[which] == 0 or data.draw(st.integers(0, 3)) == 0:
                attempt[which] += 1
                epoch[which] = data.draw(st.integers(0, epoch[which]))
                sweep.start(trials[which].trial, attempt[which], epoch[which])
            epoch[which] += 1
            sweep.report(trials[which].trial, epoch[which], attempt[which], exits=data.draw(st.integers(1, 3)))
            if data.draw(st.booleans()):
                sweep.decide(trials[which].trial, "go_on", epoch[which], value=data.draw(st.floats(-1, 1)))
            if data.draw(st.integers(0, 3)) == 0:
                with pytest.raises(Killed):
                    level(
                        dying(client, data.draw(st.integers(0, 3)), after=data.draw(st.booleans())), experiment, folder
                    )
    level(client, experiment, folder)
    contents = dump(client, experiment)
    assert doubled_steps(contents) == []
    other = prepare(uri, f"{folder.name} at once")
    level(client, other, folder)
    assert contents == dump(client, other)


def test_the_same_file_run_in_two_folders_is_two_sweeps(uri: str, client: Any, tmp_path: Path) -> None:
    write_journal(tmp_path / "a")
    write_journal(tmp_path / "b", ticking(1_800_000_000.0))
    experiment = prepare(uri, "both")
    for folder in ("a", "b"):
        level(client, experiment, tmp_path / folder)
    assert len(client.search_runs([experiment], "tags.`greenexp.kind` = 'sweep'")) == 2


def test_a_journal_cut_at_any_event_can_be_tracked(uri: str, client: Any, sweep_folder: Path, tmp_path: Path) -> None:
    lines = (sweep_folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    experiment = prepare(uri, "cut")
    for count in [*range(1, len(lines), 3), len(lines)]:
        folder = tmp_path / "cut"
        folder.mkdir(exist_ok=True)
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:count]) + lines[0][:20])
        level(client, experiment, folder)
    Journal(folder / "journal.jsonl").close()
    other = prepare(uri, "cut at once")
    level(client, other, folder)
    assert dump(client, experiment) == dump(client, other)
