"""Checkpoints: whole or refused, never half."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from greenexp.errors import CheckpointError
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun, checkpoint
from greenexp.training.checkpoint import read_checkpoint, write_checkpoint

Make = Callable[..., TrialSpec]

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3, dtype=torch.int64)}


def test_round_trip(folder: Path) -> None:
    write_checkpoint(folder, TENSORS, {"epoch": 2, "best": 0.1 + 0.2})
    tensors, state = read_checkpoint(folder)
    assert state == {"epoch": 2, "best": 0.1 + 0.2}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())


def test_a_new_one_replaces_the_old_and_leaves_nothing_behind(folder: Path) -> None:
    for epoch in range(3):
        write_checkpoint(folder, {"a": torch.full((2,), float(epoch))}, {"epoch": epoch})
    assert read_checkpoint(folder)[1] == {"epoch": 2}
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_full_disk_is_said_and_the_old_checkpoint_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    write_checkpoint(folder, TENSORS, {"epoch": 1})
    calls = iter(range(9))

    def full(descriptor: int) -> None:
        if next(calls) == fails_at:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        write_checkpoint(folder, {"a": torch.zeros(5)}, {"epoch": 2})
    monkeypatch.undo()
    assert read_checkpoint(folder)[1] == {"epoch": 1}
    assert not list(folder.glob(".*.tmp"))
    write_checkpoint(folder, {"a": torch.zeros(5)}, {"epoch": 2})
    assert read_checkpoint(folder)[1] == {"epoch": 2}
    assert len(list(folder.iterdir())) == 3


def test_a_kill_before_the_manifest_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(folder, TENSORS, {"epoch": 1})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    write = checkpoint.write_whole
    monkeypatch.setattr(
        checkpoint, "write_whole", lambda path, c: killed() if "manifest" in path.name else write(path, c)
    )
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(folder, {"a": torch.zeros(5)}, {"epoch": 2})
    assert read_checkpoint(folder)[1] == {"epoch": 1}


def damage_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("pattern", ["tensors-*", "state-*", "manifest.json"])
def test_half_written_damaged_or_missing_files_are_refused(folder: Path, pattern: str) -> None:
    for spoil in (Path.unlink, damage_bit, lambda path: os.truncate(path, 7)):
        write_checkpoint(folder, TENSORS, {"epoch": 1})
        (path,) = folder.glob(pattern)
        spoil(path)
        with pytest.raises(CheckpointError, match=str(folder)):
            read_checkpoint(folder)
        write_checkpoint(folder, TENSORS, {"epoch": 9})


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "{}",
        '{"format": 1, "files": []}',
        '{"format": 2, "files": {}}',
        '{"format": 1, "files": {}}',
        pytest.param("[" * 100_000, id="nested"),
        '{"format": 1, "files": {"\\ud800": "hash"}}',
        '{"format": 1, "files": {"a\\u0000b": "hash"}}',
    ],
)
def test_a_manifest_that_is_none(folder: Path, manifest: str) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(CheckpointError):
        read_checkpoint(folder)


def test_a_manifest_cannot_point_elsewhere(folder: Path, tmp_path: Path) -> None:
    write_checkpoint(folder, TENSORS, {"epoch": 1})
    manifest = json.loads((folder / "manifest.json").read_text())
    name = next(name for name in manifest["files"] if name.startswith("state"))
    (folder / name).rename(tmp_path / name)
    manifest["files"][f"../{name}"] = manifest["files"].pop(name)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="incomplete"):
        read_checkpoint(folder)


def test_no_checkpoint_at_all(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        read_checkpoint(folder)


@pytest.mark.parametrize("other", [{"learning_rate": 2e-3}, {"order": 1}, {"backbone": {"hidden": 32}}], ids=str)
def test_a_checkpoint_of_another_trial_is_refused(
    trial: Make, data: TokenisedTask, folder: Path, other: dict[str, object]
) -> None:
    with TrialRun(trial(), data) as run:
        next(run)
        run.save(folder)
    with TrialRun(trial(**other), data) as run:
        with pytest.raises(CheckpointError, match="another fingerprint"):
            run.load(folder)
        assert next(run).epoch == 1  # refused before anything was touched


def test_a_checkpoint_of_other_data_is_refused(trial: Make, data: TokenisedTask, folder: Path) -> None:
    import dataclasses

    with TrialRun(trial(), data) as run:
        run.save(folder)
    with (
        TrialRun(trial(), dataclasses.replace(data, fingerprint="f" * 64)) as run,
        pytest.raises(CheckpointError, match="another data"),
    ):
        run.load(folder)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tensors, state: tensors.pop("model.backbone.model.embeddings.word_embeddings.weight"),
        lambda tensors, state: tensors.update({"optimiser.stranger.exp_avg": torch.zeros(1)}),
        lambda tensors, state: tensors.update({"optimiser.heads.0.linear.bias.exp_avg": torch.zeros(99)}),
        lambda tensors, state: state.pop("step"),
        lambda tensors, state: state.update(method={"unknown": 1}),
    ],
    ids=["model", "stranger", "shape", "state", "method"],
)
def test_a_checkpoint_that_does_not_fit_fails_the_run_for_good(
    trial: Make, data: TokenisedTask, folder: Path, spoil: Callable[..., object]
) -> None:
    with TrialRun(trial(), data) as run:
        next(run)
        run.save(folder)
    tensors, state = read_checkpoint(folder)
    spoil(tensors, state)
    write_checkpoint(folder, tensors, state)
    with TrialRun(trial(), data) as run:
        with pytest.raises(CheckpointError):
            run.load(folder)
        with pytest.raises(CheckpointError):
            next(run)


def test_a_run_survives_a_checkpoint_it_could_not_write(
    trial: Make, data: TokenisedTask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with TrialRun(trial(), data) as run:
        next(run)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match="No space left"):
            run.save(folder)
        monkeypatch.undo()
        assert next(run).epoch == 2
