"""Seeds of one configuration that share a worker: what the worker says."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_settings
from told import tells

from greenexp.errors import FusedMemoryError
from greenexp.meters import Meters, open_meters
from greenexp.model import MultiExitModel
from greenexp.records.epoch import FUSED_SEEDS, EpochRecord
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.training import TrialRun
from greenexp.training.fused import FusedRuns
from greenexp.tuning.checkpoints import checkpoint_folder
from greenexp.tuning.fused_worker import FusedTaker, FusedWorker
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import PausedTrial, WorkerSettings


def seeds_with(**backbone: Any) -> list[TrialSpec]:
    """Three seeds of a tiny model."""
    settings = made_settings(
        task={"name": "clauses", "train": 48, "dev": 20, "test": 20},
        backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40, **backbone},
        training={"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32"},
    )
    return [TrialSpec(f"c000-i{seed}-o0", "c000", seed, settings, {}, TrialSeeds(seed, 0)) for seed in range(3)]


SEEDS = seeds_with()
NAMES = [spec.trial for spec in SEEDS]


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`make_worker(specs, every_s=None, checkpoints={})`: a worker that Ray did not start."""
    monkeypatch.setattr(FusedTaker, "process_meters", lambda _: open_meters(cpus=1, exclusive=False))
    made: list[Any] = []

    def make(specs: list[TrialSpec] = SEEDS, every_s: float | None = None, **checkpoints: str) -> Any:
        worker: Any = object.__new__(FusedWorker)
        shared = WorkerSettings(SharedResults(tmp_path), {}, 1, 0, True, Accounting(), checkpoint_every_s=every_s)
        worker.equip(shared, None)
        members = [
            {"trial": spec.trial, "spec": json.dumps(spec.to_json()), "attempt": 1, "data": "own",
             "checkpoint": checkpoints.get(spec.trial.replace("-", "_"))}
            for spec in specs
        ]  # fmt: skip
        worker.take({"members": json.dumps(members)})
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.cleanup()


def told(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result["trials"])
    return found


def records(result: dict[str, Any]) -> dict[str, EpochRecord]:
    return {name: EpochRecord.from_json(json.loads(own["record"])) for name, own in told(result).items()}


def test_a_worker_reports_each_seed(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    worker = make_worker()
    first, second = records(worker.step()), records(worker.step())
    assert list(first) == list(second) == NAMES
    assert {record.epoch for record in first.values()} == {1}
    assert all(record.last and record.computed_with[FUSED_SEEDS] == "3" for record in second.values())
    assert {path.name for path in (tmp_path / "models").iterdir()} == set(NAMES)
    assert {path.stem for path in (tmp_path / "logs").iterdir()} == set(NAMES)


def test_what_was_paused_together_goes_on_apart(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    whole = make_worker()
    whole.step()
    expected = records(whole.step())
    worker = make_worker()
    worker.step()
    worker.save_checkpoint("")
    paused: dict[str, PausedTrial] = dict(worker.paused())
    assert {name: (one.epoch, one.checkpoint) for name, one in paused.items()} == {
        name: (1, checkpoint_folder(name, 1)) for name in NAMES
    }
    checkpoints = {name.replace("-", "_"): one.checkpoint for name, one in paused.items()}
    found = records(make_worker(SEEDS[:2], **checkpoints).step()) | records(
        make_worker(SEEDS[2:], **checkpoints).step()
    )
    for name, record in expected.items():
        assert found[name].score == pytest.approx(record.score, abs=1e-5)
        assert found[name].train_loss == pytest.approx(record.train_loss, abs=1e-5)
    with TrialRun(SEEDS[0], _data()) as alone:
        alone.load(tmp_path / paused[NAMES[0]].checkpoint)
        assert next(alone).train_loss == pytest.approx(expected[NAMES[0]].train_loss, abs=1e-5)


def _data() -> Any:
    from greenexp.plan.data import prepare_data

    return prepare_data(SEEDS[0].settings)


def test_seeds_are_saved_while_they_train(make_worker: Callable[..., Any]) -> None:
    saved = told(make_worker(every_s=0.0).step())
    assert set(saved) == set(NAMES)
    found = [json.loads(own["saved"]) for own in saved.values()]
    assert [one["epoch"] for one in found] == pytest.approx([1 / 3] * 3)


def test_a_seed_that_fails_ends_alone(make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    worker = make_worker()
    begin = TrialRun.begin

    def broken(run: TrialRun) -> Any:
        if run.trial.trial == NAMES[1]:
            raise ValueError("its own trouble")
        return begin(run)

    monkeypatch.setattr(TrialRun, "begin", broken)
    found = told(worker.step())
    assert tells(json.loads(found[NAMES[1]]["failure"])["reason"], "ValueError … its own trouble")
    assert "record" in found[NAMES[0]]
    assert set(told(worker.step())) == {NAMES[0], NAMES[2]}


def test_a_model_that_cannot_be_stacked_fails_its_seeds_and_not_the_worker(
    make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head may draw as no plan foresees."""
    forward = MultiExitModel.forward

    def noisy(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
        torch.bernoulli(torch.ones(1))
        return forward(model, tokens, *exits)

    monkeypatch.setattr(MultiExitModel, "forward", noisy)
    found = told(make_worker(seeds_with(dropout=0.1)).step())
    assert set(found) == set(NAMES)
    assert all(tells(json.loads(own["failure"])["reason"], "bernoulli") for own in found.values())


def test_a_lost_checkpoint_begins_anew_and_the_others_wait(make_worker: Callable[..., Any]) -> None:
    worker = make_worker()
    worker.step()
    worker.save_checkpoint("")
    kept = {name.replace("-", "_"): one.checkpoint for name, one in worker.paused()}
    again = make_worker(**{**kept, "c000_i1_o0": "checkpoints/nowhere"})
    first = told(again.step())
    assert list(first) == [NAMES[1]]
    assert "restarted" in first[NAMES[1]]
    costs = {name: record.costs for name, record in records(again.step()).items()}
    assert set(costs) == set(NAMES)
    begun_anew = EpochRecord.from_json(json.loads(first[NAMES[1]]["record"])).costs
    assert all(one.wall_s and one.cpu_s and one.peak_memory_b for one in (begun_anew, *costs.values()))


@pytest.mark.parametrize("end", ["paused", "ended"])
def test_a_group_that_ends_gives_memory_and_counters_back(
    make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    closed: list[Meters] = []

    def close(meters: Meters) -> None:  # those of the process: a seed's part has a `close` of its own
        closed.append(meters)

    monkeypatch.setattr(Meters, "close", close)
    worker = make_worker()
    worker.step()
    stacked = weakref.ref(worker._group[1]._steps)
    assert stacked() is not None
    assert not closed
    worker.step() if end == "ended" else worker.save_checkpoint("")
    assert stacked() is None
    assert len(closed) == 1


@pytest.fixture
def memory_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`memory_for(examples)`: there is too little for more of them at once."""
    forward = MultiExitModel.forward

    def limit(examples: int) -> None:
        def short(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
            if len(tokens.input_ids) > examples:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward(model, tokens, *exits)

        monkeypatch.setattr(MultiExitModel, "forward", short)

    return limit


def test_too_little_memory_means_fewer_as_one_model(
    make_worker: Callable[..., Any], memory_for: Callable[[int], None]
) -> None:
    memory_for(16)
    worker = make_worker()
    found = told(worker.step())
    assert set(found) == set(NAMES)
    divided = json.loads(found[NAMES[0]]["divided"])
    assert divided["at_once"] is None
    assert tells(divided["reason"], "3 seeds")
    lost = [json.loads(own["divided"])["lost"]["wall_s"] for own in found.values()]
    assert 0 < max(lost) < 2 * min(lost), "all have a part of them"
    steps = [set(told(worker.step())) for _ in range(3)]
    assert sorted(map(list, steps)) == [[name] for name in NAMES]


def test_a_seed_with_too_little_memory_for_itself_keeps_its_costs(
    make_worker: Callable[..., Any], memory_for: Callable[[int], None]
) -> None:
    memory_for(8)
    worker = make_worker(SEEDS[:2])
    assert all("divided" in own for own in told(worker.step()).values())
    for name in NAMES[:2]:
        assert json.loads(told(worker.step())[name]["divided"])["at_once"] == 8
        costs = records(worker.step())[name].costs
        assert costs.wall_s
        assert costs.cpu_s
        assert costs.peak_memory_b


def test_an_error_of_memory_survives_the_way_to_the_driver() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(FusedMemoryError(4, "out of memory")))  # noqa: S301 - our own
    assert (error.seeds, error.told) == (4, "out of memory")
    assert FusedRuns.__doc__
