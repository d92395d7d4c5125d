"""`greenexp clean`: what nobody needs is named and goes, and every number stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded_sweeps import BEST, write_sweep
from told import tells

from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.at_rest import FOLDER
from greenexp.tuning.kept_files import lost_files
from greenexp.units import format_quantity

Command = Callable[..., tuple[int, str, str]]
LEFT = {
    "ray/session/a": 1_000,
    "checkpoints/c000-i0-o0/epoch-2/state.json": 2_000,
    "models/c000-i1-o0/model.safetensors": 4_000,
    f"logits/{'0' * 64}.npz": 8_000,
    "logits/.a.npz.0123.tmp": 16_000,
    f"models/{BEST}/.greenexp-x/model.safetensors": 32_000,
    ".report.html.0123.tmp": 64_000,
    ".arriving-x/model.safetensors": 128_000,
    f"replayed/{'0' * 64}.replay": 256_000,
}
KEPT = ("notes.txt", f"models/{BEST}/model.safetensors", "models/mine/model.safetensors", "checkpoints/mine/state")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "small"
    write_sweep(folder)
    for name, size in {**LEFT, **dict.fromkeys(KEPT, 1)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"journal.lock"}


def test_what_nobody_needs_goes_and_the_numbers_stay(command: Command, sweep: Path) -> None:
    before = files(sweep)
    replayed = command("replay", sweep, "--json")
    trials = read_tables(sweep).trials
    kept = files(sweep) - before
    assert {name.partition("/")[0] for name in kept} == {"replayed"}
    code, out, _ = command("clean", "--dry-run")
    assert (code, files(sweep)) == (0, before | kept)
    size = 511_000 + sum((sweep / name).stat().st_size for name in kept)
    assert tells(out, f"{format_quantity(float(size), 'B')}")
    code, out, _ = command("clean", "--json")
    said = json.loads(out)
    assert {(row["files"], row["size_b"]) for row in said["leftovers"]} == {
        (1, 1_000), (1, 2_000), (1, 4_000), (1, 8_000), (4, 240_000), (1 + len(kept), size - 255_000)
    }  # fmt: skip
    assert files(sweep) == before - set(LEFT)
    assert command("replay", sweep, "--json") == replayed
    assert read_tables(sweep).trials.equals(trials)
    assert command("report", sweep)[0] == 0
    assert tells(command("clean")[1], "replayed")
    assert tells(command("clean")[1], "nothing")


def test_a_trial_that_may_go_on_keeps_its_last_checkpoint_and_its_logits(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    write_sweep(folder)
    lines = (folder / NAME).read_text().splitlines()
    with Journal(tmp_path / "again" / NAME) as journal:  # without the last reports
        for line in map(json.loads, lines):
            data = {key: value for key, value in line.items() if key not in {"n", "t", "kind", "check"}}
            if line["kind"] not in {"held_out", "closed"} and data.get("trial") != BEST:
                journal.append(line["kind"], **data)
        journal.append("started", trial=BEST, attempt=1, after=0)
        last = f"checkpoints/{BEST}/epoch-3"
        journal.append("paused", trial=BEST, attempt=1, epoch=3, checkpoint=last)
    (folder / NAME).unlink()
    (tmp_path / "again" / NAME).rename(folder / NAME)
    for name in (last, f"checkpoints/{BEST}/epoch-1", f"models/{BEST}", "models/c001-i0-o0"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("x")
    assert command("clean", folder)[0] == 0
    left = files(folder)
    assert {f"{last}/file", f"models/{BEST}/file", "models/c001-i0-o0/file"} < left
    assert f"checkpoints/{BEST}/epoch-1/file" not in left
    with Journal(folder / NAME) as journal:
        state = SweepState(journal.events)
    assert not [why for _, why in lost_files(state, folder) if "logits" in why]


def test_a_running_sweep_is_left_alone(command: Command, sweep: Path, tmp_path: Path) -> None:
    """And so are the others that are named with it."""
    other = tmp_path / "other"
    write_sweep(other)
    (other / "ray").mkdir()
    with Journal(sweep / NAME):
        code, _, said = command("clean", other, sweep)
    assert code == 2
    assert tells(said, f"{sweep.name}")
    assert (other / "ray").is_dir()
    assert set(LEFT) < files(sweep)


def test_links_are_not_followed_and_a_folder_without_a_sweep_is_refused(command: Command, tmp_path: Path) -> None:
    write_sweep(tmp_path / "small")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{'0' * 64}.npz").write_text("x")
    (tmp_path / "small" / "ray").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "small" / FOLDER / f"{'1' * 64}.npz").symlink_to(tmp_path / "elsewhere" / f"{'0' * 64}.npz")
    assert command("clean", tmp_path / "small")[0] == 0
    assert (tmp_path / "small" / "ray").is_symlink()
    assert len(files(tmp_path / "elsewhere")) == 1
    assert command("clean", tmp_path / "elsewhere")[0] == 2
