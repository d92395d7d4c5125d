"""A worker with further processes beside it, which stand-ins play here: what it asks of them, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from made_settings import made_settings

from greenexp.errors import LostProcessError
from greenexp.meters import open_meters
from greenexp.meters.measure import MeterReading
from greenexp.model import MultiExitModel
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.training.processes import TrialProcesses
from greenexp.tuning import parallel_worker
from greenexp.tuning.parallel_worker import ParallelWorker
from greenexp.tuning.rendezvous import MeetingPlace, joined_store
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker

TINY = TrialSpec(
    "c000-i0-o0", "c000", 0,
    made_settings(
        task={"name": "clauses", "train": 48, "dev": 20, "test": 20},
        backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40},
        training={"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
    ),
    {}, TrialSeeds(0, 0),
)  # fmt: skip
CPU_S = 1000.0


class Played:
    """Further processes that do nothing; the group of the worker has no other member."""

    all: list[Played]
    store: Path

    def __init__(self, settings: WorkerSettings) -> None:
        assert settings.processes == 2
        self.said: list[str] = []
        self.leaving, self.answers, self.lost = False, True, False
        self.all.append(self)
        self.processes = TrialProcesses(dist.FileStore(str(self.store / f"{len(self.all)}"), 1), 0, 1, timeout_s=20)

    def begin(self, config: Mapping[str, Any]) -> list[Any]:
        self.said.append(f"begin {config['at_once']}")
        return []

    def built(self, begun: list[Any]) -> None:
        if self.lost:
            raise LostProcessError("another process of the trial has died")

    def train(self) -> None:
        self.said.append("train")

    def trained(self) -> None:
        self.said.append("trained")

    def readings(self) -> list[MeterReading]:
        return [MeterReading(Costs(0.0, cpu_s=CPU_S, gpu_s=0.0, peak_memory_b=1.0))]

    def is_leaving(self) -> bool:
        return self.leaving

    def leave(self) -> bool:
        return self.answers

    def close(self) -> None:
        self.said.append("close")
        self.processes.close()


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`make_worker(every_s=None)`: a worker that Ray did not start, with TINY."""
    monkeypatch.setattr(TrialWorker, "_meters", lambda _: open_meters(cpus=1, exclusive=False))
    monkeypatch.setattr(parallel_worker, "Companions", Played)
    monkeypatch.setattr(Played, "all", [], raising=False)
    monkeypatch.setattr(Played, "store", tmp_path, raising=False)
    made: list[Any] = []

    def make(every_s: float | None = None) -> Any:
        worker: Any = object.__new__(ParallelWorker)
        results = SharedResults(tmp_path)
        worker.equip(
            WorkerSettings(results, {}, 1, 0, False, Accounting(), checkpoint_every_s=every_s, processes=2), {}, None
        )
        worker.take(
            {"trial": TINY.trial, "spec": json.dumps(TINY.to_json()), "checkpoint": None, "data": "own", "attempt": 1}
        )
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.cleanup()
    assert all(one.said[-1] == "close" for one in Played.all)


def test_the_others_train_whenever_it_does(make_worker: Callable[..., Any]) -> None:
    worker = make_worker()
    records = [EpochRecord.from_json(json.loads(worker.step()["record"])) for _ in range(2)]
    assert records[-1].last
    assert all(record.costs.cpu_s is not None and record.costs.cpu_s > CPU_S for record in records)
    (others,) = Played.all
    assert others.said == ["begin None", "train", "trained", "train", "trained"]


@pytest.mark.parametrize("answers", [True, False])
def test_too_little_memory_is_a_new_beginning_for_all(
    make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """Those that do not answer are replaced."""
    before = MultiExitModel.forward

    def forward(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
        if len(tokens.input_ids) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return before(model, tokens, *exits)

    monkeypatch.setattr(MultiExitModel, "forward", forward)
    worker = make_worker()
    worker._others().answers = answers
    assert json.loads(worker.step()["divided"])["at_once"] == 8
    assert "record" in worker.step()
    assert len(Played.all) == (1 if answers else 2)
    assert Played.all[-1].said[-3:] == ["begin 8", "train", "trained"]


def test_a_lost_process_is_no_failure_of_the_trial(make_worker: Callable[..., Any]) -> None:
    worker = make_worker()
    worker._others().lost = True
    with pytest.raises(LostProcessError):
        worker.step()


def test_a_node_of_another_process_that_is_taken_away(make_worker: Callable[..., Any]) -> None:
    worker = make_worker(every_s=0.0)
    assert "leaving" not in worker.step()
    Played.all[0].leaving = True
    assert worker.step().keys() == {"saved", "leaving"}


def test_a_first_process_that_cannot_be_reached_is_a_lost_one() -> None:
    with pytest.raises(LostProcessError, match="gone"):
        joined_store(MeetingPlace("127.0.0.1", 1), timeout_s=0.2)  # nobody listens at port 1
