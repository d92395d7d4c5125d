"""A trial that two processes train together has the numbers that it has in one, in every way that it can go."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from told import tells
from two_processes import (
    Change,
    SecondProcess,
    broken_after_a_step_of_the_second,
    broken_before_a_step_of_the_second,
    broken_in_the_second,
    damaged_in_the_second,
    drawing_by_numpy_in_the_second,
    drawing_by_python_in_the_second,
    drawing_in_the_second,
    drawing_where_a_stage_begins,
    loss_of_nan,
    no_room_for_the_sums_of_the_second,
    short_after_a_step_of_the_second,
    short_in_the_second,
)

from greenexp.errors import (
    CheckpointError,
    DivergedError,
    InputError,
    LostProcessError,
    MemoryShortageError,
    TrialError,
)
from greenexp.methods.parallel import why_not_parallel
from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import CompressionChoice
from greenexp.records.trial import TrialSpec
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.corpus import Corpus
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun
from greenexp.training.processes import TrialProcesses, losses

Make = Callable[..., TrialSpec]
Tensors = dict[str, torch.Tensor]
ROUNDING = 1e-6
BACKBONE = {"pooling": "pooler", "dropout": 0.2}
PRETRAINING = {"name": "elasticbert_pretraining", "groups": 2, "grouping": "random"}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondProcess]:
    process = SecondProcess(tmp_path_factory.mktemp("stores"))
    yield process
    process.close()


@pytest.fixture(scope="module")
def few() -> TokenisedTask:
    """Two steps of 20 examples and one of a single one an epoch."""
    task = Clauses(train=41, dev=20, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 24)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> TokenisedTask:
    """33 training examples whose tokens are masked."""
    folder = tmp_path_factory.mktemp("corpus")
    texts = ["\n".join(f"a{n % 7} b{n % 5} c{n % 3} d{(n * k) % 11} ." for k in range(4)) for n in range(60)]
    (folder / "documents.txt").write_text("\n\n".join(texts))
    task = Corpus(files=str(folder / "*.txt"), words=24, dev=0.3, train_size=33).load()
    return tokenise(task, word_tokenizer([*task.train.texts, *(task.train.pairs or ())], masks=True), 32)


@pytest.fixture(scope="module")
def pretraining(trial: Make) -> Make:
    def make(**fields: Any) -> TrialSpec:
        own = {"exits": {"head": {"name": "pretraining"}}, "metric": {"name": "mlm_accuracy", "exit": "last"}}
        return trial(method=PRETRAINING, backbone={"dropout": 0.2}, **own, **{"epochs": 2, "batch_size": 16, **fields})

    return make


def alone(spec: TrialSpec, data: TokenisedTask) -> tuple[list[EpochRecord], Tensors]:
    """The records and the state that a trial has in one process."""
    with TrialRun(spec, data) as run:
        records = [run.train_on(lambda: False) for _ in range(spec.settings.training.epochs)]
        return [record for record in records if record is not None], run._state(None)[0]


def check_same(found: Tensors, expected: Tensors, within: float = ROUNDING) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name].double(), value.double(), rtol=0, atol=within), name


def check_records(found: list[EpochRecord], expected: list[EpochRecord], within: float = ROUNDING) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, abs=within)
        assert one.score == pytest.approx(other.score, abs=within)
        assert one.costs.train_flops == other.costs.train_flops
        assert one.costs.eval_flops == other.costs.eval_flops


METHODS: dict[str, dict[str, Any]] = {
    "branchynet": {},
    "berxit": {"micro_batch_size": 8},
    "deebert": {},
}


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_train_as_one_does(name: str, trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    fields = METHODS[name]
    spec = trial(method={"name": name}, backbone=BACKBONE, epochs=2, batch_size=20, clip_norm=0.5, **fields)
    records, expected = alone(spec, few)
    with second.shared(spec, few) as run:
        told = [second.train(run) for _ in records]
        found = run._state(None)[0]
    check_same(found, expected)
    check_records([record for record, _ in told], records)
    assert all(record.computed_with["processes"] == "2" for record, _ in told)
    there, _ = told[-1][1]
    assert all(torch.equal(there[key], value) for key, value in found.items()), "to the last bit, between processes"


def test_what_a_method_learns_beside_the_model(
    trial: Make, few: TokenisedTask, second: SecondProcess, tmp_path: Path
) -> None:
    """Each process asks a teacher of its own."""
    wider = trial(method={"name": "finetune"}, backbone={**BACKBONE, "hidden": 24}, epochs=1)
    with TrialRun(wider, few, model_folder=tmp_path) as run:
        next(run)
    spec = trial(method={"name": "tinybert", "teacher": str(tmp_path)}, backbone=BACKBONE, epochs=2, batch_size=20)
    _, expected = alone(spec, few)
    assert any(name.startswith("method.projection") for name in expected)
    with second.shared(spec, few) as run:
        assert [second.train(run)[0].epoch for _ in range(2)] == [1, 2]
        check_same(run._state(None)[0], expected)


def test_what_is_taken_from_the_weights_is_the_same(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    spec = trial(method={"name": "layerdrop"}, epochs=1, batch_size=20)
    chosen = CompressionChoice(name="magnitude_pruning")
    spec = dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, compression=chosen))
    records, expected = alone(spec, few)
    with second.shared(spec, few) as run:
        check_records([second.train(run)[0]], records)
        check_same(run._state(None)[0], expected)


@pytest.mark.parametrize("fields", [{"micro_batch_size": 6}, {"precision": "bf16"}], ids=str)
def test_pre_training_counts_its_masked_tokens_over_all_processes(
    fields: dict[str, Any], pretraining: Make, documents: TokenisedTask, second: SecondProcess
) -> None:
    spec = pretraining(**fields)
    records, expected = alone(spec, documents)
    with second.shared(spec, documents) as run:
        found = [second.train(run)[0] for _ in records]
        state = run._state(None)[0]
    in_full = fields.get("precision") != "bf16"
    check_records(found, records, ROUNDING if in_full else 0.02)
    if in_full:
        check_same(state, expected)
    assert tuple(record.costs.train_flops for record in found) == epoch_flops(spec, documents).training


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 2)])
def test_a_trial_goes_on_with_another_number_of_processes(
    before: int, after: int, pretraining: Make, documents: TokenisedTask, second: SecondProcess, folder: Path
) -> None:
    """Paused within its second epoch."""
    spec = pretraining()
    records, expected = alone(spec, documents)
    found = []
    with second.shared(spec, documents) if before == 2 else TrialRun(spec, documents) as run:
        train = (lambda asks: second.train(run, asks)[0]) if before == 2 else run.train_on
        found.append(train(lambda: False))
        assert train(lambda: run.step >= 3) is None
        assert 3 <= run.step < 6
        run.save(folder)
    with second.shared(spec, documents) if after == 2 else TrialRun(spec, documents) as run:
        run.load(folder)
        found.append(second.train(run)[0] if after == 2 else next(run))
        state = run._state(None)[0]
    check_records(found, records)
    check_same(state, expected)


def test_one_process_that_asks_interrupts_both(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    with second.shared(trial(batch_size=20), few, asks=True) as run:
        record, (_, state) = second.train(run)
        assert record is None
        assert run.step == state["step"] == 1


def test_pieces_of_a_process_that_is_short_of_memory(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    spec = trial(backbone=BACKBONE, epochs=1, batch_size=20)
    records, expected = alone(spec, few)
    with second.shared(spec, few, at_once=4) as run:
        record, _ = second.train(run)
        check_same(run._state(None)[0], expected)
    assert record.costs.train_flops == records[0].costs.train_flops


BROKEN = [broken_before_a_step_of_the_second, broken_in_the_second, broken_after_a_step_of_the_second]
SHORT = [short_in_the_second, no_room_for_the_sums_of_the_second, short_after_a_step_of_the_second]


@pytest.mark.parametrize("change", BROKEN)
def test_a_failure_of_one_process_ends_both_with_its_reason(
    change: Change, trial: Make, few: TokenisedTask, second: SecondProcess
) -> None:
    """Also where the other one has nothing left to do: there is one step."""
    with second.shared(trial(batch_size=64), few, changes=(change,)) as run:
        here, there = second.train(run)
    assert isinstance(here, TrialError)
    assert tells(str(here), "process 1 … ValueError: its own trouble")
    assert there == "ValueError: its own trouble"


@pytest.mark.parametrize("change", SHORT)
def test_too_little_memory_in_one_process_is_said_by_both(
    change: Change, trial: Make, few: TokenisedTask, second: SecondProcess
) -> None:
    with second.shared(trial(batch_size=64), few, changes=(change,)) as run:
        here, there = second.train(run)
    assert isinstance(here, MemoryShortageError)
    assert (here.at_once, here.undivided) == (32, ""), "its own part"
    assert there.startswith("OutOfMemoryError")


def test_trouble_of_a_machine_is_not_the_trials(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    with second.shared(trial(), few, changes=(damaged_in_the_second,)) as run:
        here, there = second.train(run)
    assert isinstance(here, CheckpointError)
    assert tells(str(here), "process 1 … does not fit")
    assert there == "CheckpointError: does not fit"


@pytest.mark.parametrize(
    "change", [drawing_in_the_second, drawing_by_numpy_in_the_second, drawing_by_python_in_the_second]
)
def test_processes_that_draw_differently_end_with_that_reason(
    change: Change, trial: Make, few: TokenisedTask, second: SecondProcess
) -> None:
    with second.shared(trial(batch_size=64), few, changes=(change,)) as run:
        here, there = second.train(run)
    assert isinstance(here, TrialError)
    assert tells(str(here), "random numbers")
    assert there == f"TrialError: {here}"


def test_what_a_stage_draws_as_it_begins_is_the_same_in_both(
    trial: Make, few: TokenisedTask, second: SecondProcess
) -> None:
    with second.shared(trial(), few, changes=(drawing_where_a_stage_begins,)) as run:
        record, (there, _) = second.train(run)
        assert isinstance(record, EpochRecord)
        found = run._state(None)[0]
    assert all(torch.equal(there[key], value) for key, value in found.items())


def test_a_loss_that_is_no_number_ends_both_alike(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    with second.shared(trial(), few, changes=(loss_of_nan,)) as run:
        here, there = second.train(run)
    assert isinstance(here, DivergedError)
    assert there == f"DivergedError: {here}"


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"method": {"name": "dbt"}}, ("method", "DbtRun … (step)")),
        ({"method": {"name": "romebert"}}, ("method", "RomeBertRun … (step)")),
        ({"method": {"name": "leebert"}}, ("method", "CrossLevelRun … (step)")),
        ({"method": {"name": "fastbert"}}, ("method", "FastBertRun … every process")),
        ({"micro_batch_size": 1}, ("training", "1 examples … 2 processes")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_several_processes_cannot_share(
    fields: dict[str, Any], facts: tuple[str, str], trial: Make, few: TokenisedTask
) -> None:
    spec = trial(backbone={"pooling": "pooler"}, **fields)
    with TrialRun(spec, few) as run:
        work = run._open_setup()
        ((section, why),) = why_not_parallel(work.method, work.model, work.training, 2)
        assert section == facts[0]
        assert tells(why, facts[1])
        normal = torch.nn.Sequential(work.model, torch.nn.BatchNorm1d(3))
        assert "backbone" in dict(why_not_parallel(work.method, normal, work.training, 2))


def test_a_process_that_never_comes_is_not_waited_for_as_long_as_in_a_step(tmp_path: Path) -> None:
    with pytest.raises(LostProcessError):
        TrialProcesses(dist.FileStore(str(tmp_path / "store"), 2), 0, 2, timeout_s=60.0, join_s=0.2)
    # torch numbers its groups from 0 again only where one is left.
    TrialProcesses(dist.FileStore(str(tmp_path / "own"), 1), 0, 1, timeout_s=60.0).close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), torch.OutOfMemoryError),
        (dist.DistBackendError("NCCL error: out of memory"), dist.DistBackendError),
        (RuntimeError("Invalid scalar type"), RuntimeError),
        (ValueError("trying to initialize the default process group twice!"), ValueError),
        (RuntimeError("[pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error"), LostProcessError),
        (RuntimeError("Application timeout caused pair closure"), LostProcessError),
        (RuntimeError("Wait timeout"), LostProcessError),
        (dist.DistNetworkError("The client socket has timed out"), LostProcessError),
    ],
    ids=str,
)
def test_what_says_that_a_process_is_gone(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised, losses():
        raise error
    assert raised.type is kind


def test_what_a_method_changes_of_a_known_step_is_not_vouched_for(trial: Make, few: TokenisedTask) -> None:
    with TrialRun(trial(method={"name": "berxit"}), few) as run:
        work = run._open_setup()
        kind = type(work.method)

        def refused(name: str, own: dict[str, Any]) -> bool:
            work.method.__class__ = type(name, (kind,), own)
            return bool(why_not_parallel(work.method, work.model, work.training, 2))

        assert not refused("Same", {})
        assert refused("OwnStep", {"step": kind.step})
        assert not refused("OwnStepThatAddsUp", {"step": kind.step, "adds_up": True})
        assert refused("OwnDescent", {"descend": lambda *_: None})


def test_a_run_refuses_what_it_cannot_share(trial: Make, few: TokenisedTask) -> None:
    class Two:
        size = 2

    with pytest.raises(InputError, match="several processes"):
        TrialRun(trial(method={"name": "dbt"}), few, processes=Two())  # type: ignore[arg-type]


def test_a_process_that_is_gone_is_noticed(trial: Make, few: TokenisedTask, second: SecondProcess) -> None:
    """The last test: the second process is not started again."""
    with second.shared(trial(), few) as run:
        second.train(run)
        second.process.kill()
        second.process.join()
        with pytest.raises(LostProcessError, match="gone"):
            run.train_on(lambda: False)
