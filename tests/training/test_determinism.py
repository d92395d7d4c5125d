"""Same seeds, same numbers to the last bit: fresh, resumed, in a used process, beside another trial."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun

Make = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"precision": "bf16"},
    "micro-batches": {"micro_batch_size": 5},
    "frozen, not clipped": {"freeze_embeddings": True, "clip_norm": None},
    "finetune": {"method": {"name": "finetune"}, "metric": {"exit": "last"}},
}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Whatever a test sets, the next one finds torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def all_of(trial: TrialSpec, data: TokenisedTask, folder: Path, numbers: Numbers) -> list[dict[str, Any]]:
    with TrialRun(trial, data, logits_folder=folder / "logits") as run:
        return [numbers(record) for record in run]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_two_fresh_runs(
    trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path, settings: dict[str, Any]
) -> None:
    first = all_of(trial(**settings), data, tmp_path, numbers)
    assert first == all_of(trial(**settings), data, tmp_path, numbers)
    assert [record["epoch"] for record in first] == [1, 2, 3]
    assert first[0]["dev_logits"] is not None


@pytest.mark.parametrize("seeds", [{"initialisation": 1}, {"order": 1}], ids=str)
def test_each_seed_matters(
    trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path, seeds: dict[str, int]
) -> None:
    one = all_of(trial(epochs=1), data, tmp_path, numbers)
    other = all_of(trial(epochs=1, **seeds), data, tmp_path, numbers)
    assert one[0]["train_loss"] != other[0]["train_loss"]


def test_order_seed_does_not_touch_the_initial_weights(trial: Make, data: TokenisedTask) -> None:
    states = []
    for order in (0, 1):
        with TrialRun(trial(order=order), data) as run:
            states.append({name: value.clone() for name, value in model(run).state_dict().items()})
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("pauses", [(1,), (2,), (1, 2), (0, 3)], ids=str)
def test_pause_close_load_continue(
    trial: Make,
    data: TokenisedTask,
    numbers: Numbers,
    tmp_path: Path,
    folder: Path,
    settings: dict[str, Any],
    pauses: tuple[int, ...],
) -> None:
    spec = trial(**settings)
    expected = all_of(spec, data, tmp_path, numbers)
    resumed: list[dict[str, Any]] = []
    run = TrialRun(spec, data, logits_folder=tmp_path / "logits")
    for epoch in range(4):
        if epoch in pauses:
            run.save(folder)
            run.close()
            disturb()
            run = TrialRun(spec, data, logits_folder=tmp_path / "logits")
            run.load(folder)
            assert run.epoch == epoch
        resumed.extend(numbers(record) for record in [next(run, None)] if record is not None)
    assert next(run, None) is None
    run.close()
    assert resumed == expected


def test_a_reused_process(trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path) -> None:
    """Another trial, with other threads, precision and an open end, ran here before."""
    expected = all_of(trial(), data, tmp_path, numbers)
    other = TrialRun(trial(order=5, precision="bf16", learning_rate=1e-2), data, threads=2)
    next(other)
    other.close()
    disturb()
    assert all_of(trial(), data, tmp_path, numbers) == expected


def test_two_trials_taking_turns(trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path) -> None:
    specs = [trial(), trial(initialisation=1, order=1, precision="bf16")]
    expected = [all_of(spec, data, tmp_path, numbers) for spec in specs]
    runs = [TrialRun(spec, data, logits_folder=tmp_path / "logits") for spec in specs]
    taken = [[numbers(next(run)) for run in runs] for _ in range(3)]
    for run in runs:
        run.close()
    assert [list(column) for column in zip(*taken, strict=True)] == expected


@pytest.mark.parametrize("default", [1, 2])
def test_default_threads_do_not_matter(
    trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path, default: int
) -> None:
    expected = all_of(trial(epochs=1), data, tmp_path, numbers)
    torch.set_num_threads(default)
    assert all_of(trial(epochs=1), data, tmp_path, numbers) == expected
    assert torch.get_num_threads() == default


def test_the_process_is_left_as_it_was(trial: Make, data: TokenisedTask) -> None:
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = (torch.rand(1), random.random(), np.random.rand())  # noqa: NPY002
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    with TrialRun(trial(epochs=1), data) as run, torch.no_grad():
        next(run)
        assert not torch.is_grad_enabled()
    assert (torch.rand(1), random.random(), np.random.rand()) == expected  # noqa: NPY002
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_an_autocast_around_it_changes_nothing(
    trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path
) -> None:
    expected = all_of(trial(epochs=1), data, tmp_path, numbers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert all_of(trial(epochs=1), data, tmp_path, numbers) == expected


def test_a_checkpoint_can_be_loaded_into_a_run_that_has_trained(
    trial: Make, data: TokenisedTask, numbers: Numbers, tmp_path: Path, folder: Path
) -> None:
    with TrialRun(trial(), data) as run:
        next(run)
        run.save(folder)
        expected = [numbers(record) for record in run]
        run.load(folder)
        assert [numbers(record) for record in run] == expected


def disturb() -> None:
    """What another trial might leave behind."""
    torch.set_num_threads(2)
    torch.rand(17)
    np.random.seed(123)  # noqa: NPY002
    random.seed(123)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.nn.Linear(8, 8)(torch.rand(2, 8)).sum().backward()


def model(run: TrialRun) -> torch.nn.Module:
    return run._open_setup().model
