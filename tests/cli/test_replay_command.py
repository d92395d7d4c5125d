"""`greenexp replay` on a recorded sweep: what it prints, what it adds to the record, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from edited_journals import edit
from recorded_sweeps import BEST, COSTS, TRIALS, write_sweep
from stand_ins import EPOCHS, a_record, a_scheduler
from told import tells

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.at_rest import FOLDER
from greenexp.replay import operating_points
from greenexp.replay.latency import LatencyTable, write_latency
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.tracking.reader import read_tables as read_mlflow
from greenexp.tuning.replay import rebuild

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    write_sweep(folder)
    return folder


@pytest.fixture
def sweep(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "out" / "small"))


def stored(sweep: Path, trial: str = BEST, split: str = "dev") -> StoredLogits:
    state = SweepState(read_events(sweep / NAME))
    found = state.trials[trial]
    name = found.records[EPOCHS].dev_logits if split == "dev" else found.held_out[-1][1].logits
    assert name is not None
    return read_logits(sweep / FOLDER, name)


def test_the_only_sweep_replays_its_own_policies_and_nothing_changes(command: Command, sweep: Path) -> None:
    before = (sweep / NAME).read_bytes()
    code, out, _ = command("replay")
    assert code == 0
    head, _, rule, columns, *rows = out.splitlines()
    assert tells(head, f"small  {BEST} … 50 dev … 40 test")
    assert rule.startswith("Thresholds are chosen on dev")
    assert "test accuracy" in columns
    assert {row.split()[0] for row in rows} == {"static", "max_probability", "patience"}
    assert (sweep / NAME).read_bytes() == before


def test_json_is_every_operating_point_on_dev_and_test(command: Command, sweep: Path) -> None:
    before = (sweep / NAME).read_bytes()
    code, out, _ = command("replay", sweep, "--policy", "entropy", "--policy", "oracle", "--json")
    assert code == 0
    points = pd.DataFrame(json.loads(out))
    assert list(points) == [
        "trial", "split", "policy", "threshold", "accuracy", "inference_flops", "mean_layers", "speed_up"
    ]  # fmt: skip
    for split in ("dev", "test"):
        expected = operating_points(stored(sweep, split=split).record, "entropy", COSTS)
        found = points[(points["split"] == split) & (points["policy"] == "entropy")]
        pd.testing.assert_frame_equal(found[list(expected)].reset_index(drop=True), expected, check_dtype=False)
    assert set(points["policy"]) == {"entropy", "oracle"}
    assert (sweep / NAME).read_bytes() == before


def test_thresholds_are_chosen_on_dev_and_shown_on_test(command: Command, sweep: Path) -> None:
    command("replay", sweep, "--policy", "voting")
    table = read_tables(sweep).thresholds_on_test
    rows = table[(table["trial"] == BEST) & (table["policy"] == "voting")]
    out = command("replay", sweep, "--policy", "voting")[1]
    shown = [line.split() for line in out.splitlines() if line.startswith("voting")]
    assert len(rows) > 1
    for row in rows.to_dict("records"):
        cells = [f"{row['dev_score']:.4f}", f"{row['dev_speed_up']:.2f}x", f"{row['test_score']:.4f}"]
        assert any(all(cell in line for cell in cells) for line in shown)


def test_a_threshold_that_is_shown_can_be_given_back(command: Command, sweep: Path) -> None:
    out = command("replay", sweep, "--policy", "max_probability")[1]
    rows = [line.split() for line in out.splitlines() if line.startswith("max_probability")]
    assert len(rows) > 2
    for row in rows:
        threshold = next(cell for cell in row[1:] if not cell.endswith("x") and cell != "to")
        again = command("replay", sweep, "--policy", f"max_probability:{threshold}")[1]
        given = next(line for line in again.splitlines() if " given " in line).split()
        assert given[2:] == row[row.index(threshold) :]


def test_a_policy_is_added_to_the_record_once(command: Command, sweep: Path, tmp_path: Path) -> None:
    elapsed = read_tables(sweep).history.elapsed_s
    code, out, said = command("replay", sweep, "--policy", "entropy:0.3,normalised=true", "--policy", "patience")
    assert code == 0
    assert tells(said, "added … 'entropy:normalised=true' … `greenexp report")
    assert "given" in out
    lines = len((sweep / NAME).read_bytes().splitlines())
    assert "added" not in command("replay", sweep, "--policy", "entropy:normalised=true")[2]
    assert len((sweep / NAME).read_bytes().splitlines()) == lines
    assert "entropy:normalised=true" in command("replay", sweep)[1]
    tables = read_tables(sweep)
    assert tables.history.policies == ("max_probability", "patience", "entropy:normalised=true")
    assert tables.history.elapsed_s == elapsed, "the time between sessions does not count"
    assert "entropy:normalised=true" in set(tables.operating_points["policy"])
    assert command("export", sweep, "--out", tmp_path / "tables")[0] == 0
    assert "entropy:normalised=true" in set(pd.read_parquet(tmp_path / "tables/exit_profiles.parquet")["policy"])
    assert command("report", sweep, "--format", "md", "--out", tmp_path / "report")[0] == 0
    assert command("status", sweep)[0] == 0


def test_a_sweep_with_added_policies_can_be_resumed(command: Command, sweep: Path) -> None:
    command("replay", sweep, "--policy", "oracle")
    with Journal(sweep / NAME) as journal:
        assert rebuild(a_scheduler({"name": "fifo"}, TRIALS), journal.events) == ()
        assert SweepState(journal.events).sessions[-1].closed == "finished"


@pytest.mark.slow
def test_mlflow_has_them_after_sync_and_can_be_replayed_itself(command: Command, sweep: Path) -> None:
    uri = f"sqlite:///{sweep / 'mlflow.db'}"
    assert command("sync", sweep, "--uri", uri)[0] == 0
    command("replay", sweep, "--policy", "oracle")
    assert command("sync", sweep, "--uri", uri)[0] == 0
    ours, theirs = read_tables(sweep), read_mlflow(uri)
    for name, frame in ours.frames.items():
        pd.testing.assert_frame_equal(theirs.frames[name], frame, check_exact=True, obj=name)
    assert "oracle" in set(theirs.operating_points["policy"])
    from_folder = command("replay", sweep, "--policy", "entropy", "--json")[1]
    assert command("replay", f"{uri}#small", "--policy", "entropy", "--json")[1] == from_folder
    code, _, said = command("replay", uri, "--policy", "entropy")
    assert code == 0
    assert "nothing was added" in said
    code, _, err = command("replay", uri, "--trial", "c001-i1-o1")
    assert code == 2
    assert tells(err, "error: … 'c001-i1-o1'")
    assert read_mlflow(uri).history.policies == ours.history.policies


def test_another_trial_and_every_trial(command: Command, sweep: Path) -> None:
    _, out, said = command("replay", sweep, "--trial", "c000-i0-o0")
    assert "50 dev examples" in out
    assert "test logits" in said
    assert "test accuracy" not in out
    rows = json.loads(command("replay", sweep, "--trial", "all", "--json")[1])
    assert list(dict.fromkeys(row["trial"] for row in rows)) == [trial.trial for trial in TRIALS]
    code, _, err = command("replay", sweep, "--trial", "c001-i1-o1")
    assert code == 2
    assert "'c001-i1-o0'" in err


def test_every_trial_is_every_one_whose_logits_can_be_read(command: Command, sweep: Path) -> None:
    spoilt = stored(sweep, "c000-i0-o0")
    (sweep / FOLDER / f"{write_logits(sweep / 'same', spoilt)}.npz").write_bytes(b"PK no")
    code, out, err = command("replay", sweep, "--trial", "all", "--json")
    assert code == 0
    assert {row["trial"] for row in json.loads(out)} == {trial.trial for trial in TRIALS[1:]}
    assert tells(err, "c000-i0-o0 … dev logits")
    assert command("replay", sweep, "--trial", "c000-i0-o0")[0] == 2


def test_calibrated_logits_are_replayed_and_said_so(command: Command, sweep: Path) -> None:
    from greenexp.replay.calibration import temperatures

    before = (sweep / NAME).read_bytes()
    out = command("replay", sweep, "--policy", "max_probability", "--calibrated", "--json")[1]
    points = pd.DataFrame(json.loads(out)).query("split == 'test'")
    assert set(points["policy"]) == {"max_probability (calibrated)"}
    fitted = temperatures(stored(sweep).record)
    expected = operating_points(stored(sweep, split="test").record.calibrated(fitted), "max_probability", COSTS)
    assert np.array_equal(points["threshold"], expected["threshold"])
    assert "temperature" in command("replay", sweep, "--policy", "oracle", "--calibrated")[2]
    assert (sweep / NAME).read_bytes() == before, "calibrated policies are not added"


def test_another_metric(command: Command, sweep: Path) -> None:
    rows = json.loads(command("replay", sweep, "--metric", "matthews", "--json")[1])
    assert "matthews" in rows[0]
    code, _, err = command("replay", sweep, "--metric", "mathews")
    assert code == 2
    assert "'matthews'" in err


def test_a_metric_that_is_defined_nowhere_is_said(command: Command, sweep: Path) -> None:
    whole = stored(sweep)
    one = dataclasses.replace(whole, logits=np.tile(np.float32([1, 0]), (*whole.logits.shape[:2], 1)))
    name = write_logits(sweep / "same", whole)
    other = write_logits(sweep / FOLDER, one)
    edit(sweep / NAME, lambda line: line.get("record", {}).get("dev_logits") == name and _name(line, other))
    code, _, said = command("replay", sweep, "--metric", "matthews", "--policy", "patience")
    assert code == 0
    assert tells(said, "matthews … static, patience")


def _name(line: dict[str, Any], logits: str) -> None:
    line["record"]["dev_logits"] = logits


def test_a_budget_gives_thresholds_per_exit(command: Command, sweep: Path) -> None:
    rows = json.loads(command("replay", sweep, "--budget", "11", "--json")[1])
    assert [(row["split"], row["policy"]) for row in rows] == [("dev", "max_probability"), ("test", "max_probability")]
    assert rows[0]["inference_flops"] <= 11
    assert set(rows[0]["thresholds"]) == {"1", "2"}
    out = command("replay", sweep, "--budget", "0.011 kFLOP", "--policy", "entropy")[1]
    assert "exit 1" in out
    assert "11 FLOP" in out
    text = out.partition("the same again: ")[2].splitlines()[0].split()
    given = next(line for line in command("replay", sweep, *text)[1].splitlines() if " given " in line)
    row = next(line for line in out.splitlines() if line.startswith("entropy  "))
    assert given.split()[-8:] == row.split()[-8:], "its thresholds can be given back"
    for wrong, words in (("1", "cannot be met"), ("1 apple", "not a quantity"), ("-3", "not a quantity")):
        code, _, err = command("replay", sweep, "--budget", wrong)
        assert code == 2
        assert words in err
    code, _, err = command("replay", sweep, "--budget", "11", "--policy", "patience")
    assert code == 2
    assert "not for patience" in err


def test_a_latency_table_prices_in_seconds(command: Command, sweep: Path, tmp_path: Path) -> None:
    file = tmp_path / "latency.json"
    seconds = np.array([[0.001, 0.003], [0.002, 0.006], [0.003, 0.009]])
    write_latency(file, LatencyTable("a CPU", 1, "fp32", [1, 2, 3], [3, 5], seconds))  # type: ignore[arg-type]
    rows = json.loads(command("replay", sweep, "--policy", "max_probability", "--latency", file, "--json")[1])
    last = next(row for row in rows if row["mean_layers"] == 6)
    assert last["latency_s"] == pytest.approx(np.interp(stored(sweep).lengths, [3, 5], seconds[2]).mean())
    _, out, said = command("replay", sweep, "--latency", file)
    assert "dev seconds" in out
    assert tells(said, "CPU … 1 thread … fp32")
    write_latency(file, LatencyTable("a CPU", 1, "fp32", [1, 2, 3], [4, 5], seconds))  # type: ignore[arg-type]
    code, _, err = command("replay", sweep, "--latency", file)
    assert code == 2
    assert "length 3" in err, "nothing is extrapolated"


@pytest.mark.parametrize(
    ("policy", "words"),
    [("entropi", "'entropy'"), ("entropy:normalized=true", "'normalised'"),
     ("learned", "learned"), ("patience:-1", "whole number")],
)  # fmt: skip
def test_a_policy_that_cannot_be_is_refused_and_nothing_added(
    command: Command, sweep: Path, policy: str, words: str
) -> None:
    before = (sweep / NAME).read_bytes()
    code, out, err = command("replay", sweep, "--policy", "oracle", "--policy", policy)
    assert (code, out) == (2, "")
    assert words in err
    assert (sweep / NAME).read_bytes() == before


def test_a_running_sweep_is_shown_but_not_written_to(command: Command, sweep: Path) -> None:
    with Journal(sweep / NAME):
        code, out, err = command("replay", sweep, "--policy", "oracle")
        assert (code, out) == (2, "")
        assert "another greenexp run" in err
        assert "--json" in err
        assert command("replay", sweep, "--policy", "oracle", "--json")[0] == 0
        assert command("replay", sweep)[0] == 0


def test_why_there_is_nothing_to_replay(command: Command, sweep: Path) -> None:
    path = next((sweep / FOLDER).glob("*.npz"))
    for file in (sweep / FOLDER).glob("*.npz"):
        file.write_bytes(b"PK no")
    code, _, err = command("replay", sweep)
    assert code == 2
    assert tells(err, f"{BEST} … dev logits")
    assert "are damaged" in err
    path.unlink()
    shutil.rmtree(sweep / FOLDER)
    assert "not at hand" in command("replay", sweep)[2]
    (sweep / NAME).unlink()
    assert "no sweep" in command("replay", sweep)[2]


def test_a_sweep_that_stored_no_logits_or_has_not_ended_says_so(command: Command, tmp_path: Path) -> None:
    for name, record, words in (("none", True, "none were stored"), ("begun", False, "ended")):
        with Journal(tmp_path / name / NAME) as journal:
            spec = {"name": "x", "task": {"name": "clauses"}, "metric": {"name": "accuracy"}}
            journal.append("sweep", format=FORMAT, name="x", fingerprint="f", spec=spec)
            journal.append("trial", spec=TRIALS[0].to_json())
            if record:
                journal.append("session", number=1)
                journal.append("started", trial=TRIALS[0].trial, attempt=1, after=0)
                made = a_record(TRIALS[0], EPOCHS).to_json()
                journal.append("report", trial=TRIALS[0].trial, attempt=1, record=made)
        code, _, err = command("replay", tmp_path / name)
        assert code == 2
        assert words in err


def test_it_needs_no_torch(sweep: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['ray'] = sys.modules['mlflow'] = None\n"
        "from greenexp.cli.main import main\n"
        f"main(['replay', {str(sweep)!r}, '--policy', 'entropy', '--budget', '11'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=sweep, check=False)
    assert done.returncode == 0, done.stderr


def test_patience_of_numbers_may_be_given_without_its_name(command: Command, tmp_path: Path) -> None:
    rng, labels = np.random.default_rng(0), np.arange(40, dtype=np.float32)
    values = labels[:, None] + rng.normal(size=(3, 40, 1))
    numbers = StoredLogits.of(values, labels, rng.integers(3, 6, 40), [1, 2, 3], COSTS)
    with Journal(tmp_path / "numbers" / NAME) as journal:
        spec = {
            "name": "numbers",
            "task": {"name": "clauses"},
            "metric": {"name": "pearson"},
            "replay": {"policies": ["patience"]},
        }
        journal.append("sweep", format=FORMAT, name="numbers", fingerprint="f", spec=spec)
        journal.append("trial", spec=TRIALS[0].to_json())
        journal.append("session", number=1)
        journal.append("started", trial=TRIALS[0].trial, attempt=1, after=0)
        name = write_logits(tmp_path / "numbers" / FOLDER, numbers)
        made = dataclasses.replace(a_record(TRIALS[0], EPOCHS), dev_logits=name)
        journal.append("report", trial=TRIALS[0].trial, attempt=1, record=made.to_json())
        journal.append("closed", status="finished")
    code, out, said = command("replay", tmp_path / "numbers", "--policy", "patience:1")
    assert code == 0
    assert "given" not in out
    assert "added" in said
    assert command("replay", tmp_path / "numbers", "--policy", "patience:patience=1")[1] == out
