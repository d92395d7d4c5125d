"""A trial that runs out of memory is tried again with smaller micro-batches, or fails and says what it needed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_settings
from stand_ins import a_record

from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.meters import open_meters
from greenexp.methods.base import MethodRun
from greenexp.model import MultiExitModel
from greenexp.records.epoch import Costs
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker

FIFO = {"name": "fifo"}
TINY = TrialSpec(
    "c000-i0-o0", "c000", 0,
    made_settings(
        task={"name": "clauses", "train": 48, "dev": 20, "test": 20},
        backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40},
        training={"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
    ),
    {}, TrialSeeds(0, 0),
)  # fmt: skip


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`make_worker(every_s=None, **config)`: a worker that Ray did not start, with TINY."""
    monkeypatch.setattr(TrialWorker, "_meters", lambda _: open_meters(cpus=1, exclusive=False))
    made: list[Any] = []

    def make(every_s: float | None = None, **config: Any) -> Any:
        worker: Any = object.__new__(TrialWorker)
        shared = WorkerSettings(SharedResults(tmp_path), {}, 1, 0, True, Accounting(), checkpoint_every_s=every_s)
        worker._settings, worker._data, worker._run, worker._notice = shared, {}, None, None
        worker.take(
            {
                "trial": TINY.trial,
                "spec": json.dumps(TINY.to_json()),
                "checkpoint": None,
                "data": "own",
                "attempt": 1,
                **config,
            }
        )
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.cleanup()


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples fit into memory at once; a test changes it."""
    most, before = [10_000], MultiExitModel.forward

    def forward(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
        if len(tokens.input_ids) > most[0]:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(tokens.input_ids)}.00 MiB.")
        return before(model, tokens, *exits)

    monkeypatch.setattr(MultiExitModel, "forward", forward)
    return most


def test_smaller_micro_batches_until_they_fit(make_worker: Callable[..., Any], room: list[int]) -> None:
    expected = json.loads(make_worker().step()["record"])
    room[0] = 5
    worker = make_worker()
    sizes = []
    while "divided" in (result := worker.step()):
        found = json.loads(result["divided"])
        sizes.append(found["at_once"])
        assert "Tried to allocate" in found["reason"]
        assert found["lost"]["wall_s"] > 0
    assert sizes == [8, 4]
    record = json.loads(result["record"])
    assert record["computed_with"]["micro_batch_size"] == "4"
    assert record["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-5)
    assert record["costs"]["train_flops"] == expected["costs"]["train_flops"]
    assert {key: record[key] for key in ("epoch", "step", "examples")} == {"epoch": 1, "step": 3, "examples": 48}


def test_what_was_saved_before_is_kept(make_worker: Callable[..., Any], room: list[int]) -> None:
    expected = json.loads(make_worker().step()["record"])
    worker = make_worker(0.0)
    saved = json.loads(worker.step()["saved"])
    room[0] = 8
    found = json.loads(worker.step()["divided"])
    steps = (saved["costs"]["train_flops"], found["lost"]["train_flops"])
    assert sum(steps) < expected["costs"]["train_flops"], "of three steps one is saved and one is lost"
    worker._settings = dataclasses.replace(worker._settings, checkpoint_every_s=None)
    record = json.loads(worker.step()["record"])
    assert record["step"] == 3
    assert record["costs"]["train_flops"] == expected["costs"]["train_flops"] > saved["costs"]["train_flops"]
    assert record["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-5)


def test_one_example_that_does_not_fit_fails(make_worker: Callable[..., Any], room: list[int]) -> None:
    room[0] = 0
    worker = make_worker(at_once=1)
    reason = json.loads(worker.step()["failure"])["reason"]
    assert "Tried to allocate 1.00 MiB" in reason
    assert "1 example(s)" in reason
    assert "B were in use" in reason


def test_a_method_that_does_not_divide_fails(
    make_worker: Callable[..., Any], room: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    room[0] = 8
    monkeypatch.setattr(MethodRun, "divides", False)
    reason = json.loads(make_worker().step()["failure"])["reason"]
    assert "16 example(s)" in reason
    assert "JointRun" in reason


# ------------------------------------------------------------------------------------------------------ the conductor


def next_trial(conductor: Conductor) -> Assignment:
    found = conductor.next_trial()
    assert isinstance(found, Assignment)
    return found


def test_the_next_attempt_is_divided_too_in_this_session_and_the_next(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1)
    first = next_trial(conductor)
    name = first.spec.trial
    assert first.at_once is None
    conductor.started(name, 1, 0)
    conductor.report(name, 1, a_record(first.spec, 1))
    conductor.divided(name, 1, "out of memory", Costs(3.0), 16)
    trial = conductor.state.trials[name]
    assert (trial.status, trial.attempts, trial.micro_batch_size, trial.lost_wall_s) == ("running", 2, 16, 3.0)
    conductor.worker_died(name, 2, "the worker died: NODE_OUT_OF_MEMORY", of_memory=True)
    assert next_trial(conductor).at_once == 8
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1)
    assert next_trial(conductor).at_once == 8
    conductor.started(name, 3, 0)
    conductor.worker_died(name, 3, "the worker died")
    assert next_trial(conductor).at_once == 8


def test_halving_begins_from_what_a_process_computes(opened: Callable[..., Conductor]) -> None:
    """A larger number would change nothing."""
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1)
    conductor.processes, conductor.max_failures = 8, 3
    first = next_trial(conductor)
    training = first.spec.settings.training
    own = -(-(training.micro_batch_size or training.batch_size) // 8)
    assert own > 1
    conductor.started(first.spec.trial, 1, 0)
    conductor.worker_died(first.spec.trial, 1, "NODE_OUT_OF_MEMORY", of_memory=True)
    assert next_trial(conductor).at_once == own // 2


def test_an_attempt_after_a_pause_goes_on_from_there(opened: Callable[..., Conductor], tmp_path: Path) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1)
    spec = next_trial(conductor).spec
    conductor.started(spec.trial, 1, 0)
    conductor.report(spec.trial, 1, a_record(spec, 1))
    conductor.saved(spec.trial, 1, 1.5, "checkpoints/x", dataclasses.asdict(Costs(2.0)))
    conductor.divided(spec.trial, 1, "out of memory", Costs(0.5), 8)
    trial = conductor.state.trials[spec.trial]
    assert trial.checkpoint == (1.5, "checkpoints/x")
    assert trial.lost_wall_s == 0.5
    assert trial.unreported == Costs(2.0)
    conductor.journal.close()
    with Journal(tmp_path / NAME) as journal:
        assert SweepState(journal.events).trials[spec.trial] == trial
        assert journal.events[-1].data["after"] == 1.5


def test_nothing_is_left_to_halve(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1)
    name = next_trial(conductor).spec.trial
    conductor.started(name, 1, 0)
    conductor.divided(name, 1, "out of memory", None, 1)
    conductor.worker_died(name, 2, "the worker died", of_memory=True)
    assert next_trial(conductor).at_once == 1
