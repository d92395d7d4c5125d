"""FastBERT: distillation of the frozen backbone, with kept states and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from method_cases import EPOCHS, Case, Trial
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.meters.flops import training_flops
from greenexp.methods.base import EpochContext, MicroBatch, TrialShape
from greenexp.methods.fastbert import FastBert
from greenexp.methods.state_cache import needed_bytes
from greenexp.objectives import divergences
from greenexp.records.costs import Part, Pass

HEAD = {"name": "attention", "width": 8, "dropout": 0.0}
LENGTHS = (6, 4, 9, 4, 2, 7, 7, 3)
KEPT, NOT_KEPT = {}, {"cache_bytes": 0}
either = pytest.mark.parametrize("memory", [KEPT, NOT_KEPT], ids=["kept", "recomputed"])


def training_set() -> tuple[list[Tensor], Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.integers(4, 30, length)) for length in LENGTHS], torch.from_numpy(
        rng.integers(0, 2, len(LENGTHS))
    )


def micro_batch(rows: list[int], share: float = 1.0) -> MicroBatch:
    texts, labels = training_set()
    ids = torch.nn.utils.rnn.pad_sequence([texts[row] for row in rows], batch_first=True)
    mask = torch.stack([torch.arange(ids.shape[1]) < LENGTHS[row] for row in rows]).long()
    tokens = TokenBatch(ids, None if mask.all() else mask)
    return MicroBatch(tokens, labels[rows], share, np.array(rows, dtype=np.int64))


def in_order() -> Iterator[MicroBatch]:
    rows = [int(row) for row in np.argsort(LENGTHS, kind="stable")]
    yield from (micro_batch(rows[start : start + 3]) for start in range(0, len(rows), 3))


def context_of(trial: Trial, epoch: int = 3) -> EpochContext:
    return EpochContext(trial.model, epoch, in_order, nullcontext)


def begun(make_trial: Any, epoch: int = 3, dropout: float = 0.0, layers: object = "all", **fields: Any) -> Trial:
    """A trial before the first step of `epoch`."""
    case = Case({"name": "fastbert", **fields}, (), layers, head=HEAD, epoch=epoch, backbone={"dropout": dropout})
    trial = make_trial(case)
    shape = dataclasses.replace(trial.run.shape, hidden_size=12, train_tokens=sum(LENGTHS))
    trial.run = FastBert(**fields).begin(shape)
    trial.made = trial.run.prepare(context_of(trial, epoch))
    trial.model.train()
    return trial


def by_hand(trial: Trial, rows: list[int], direction: str) -> Tensor:
    """Stage 2's objective, one example after the other, without padding."""
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        *students, teacher = trial.model(micro_batch([row]).inputs)
        target = torch.softmax(teacher[0].detach(), dim=0)
        for student in students:
            said = torch.softmax(student[0], dim=0)
            first, second = (target, said) if direction == "teacher_first" else (said, target)
            total = total + sum(p * torch.log(p / q) for p, q in zip(first, second, strict=True)) / len(rows)
    return total


@either
@pytest.mark.parametrize("direction", ["teacher_first", "student_first"])
def test_gradients_of_stage_two_equal_a_hand_written_sum(memory: dict[str, int], direction: str, make_trial):
    trial, rows = begun(make_trial, direction=direction, **memory), [5, 0, 3, 2]
    found = trial.run.step(trial.context([micro_batch(rows)], 3))
    gradients = trial.gradients()
    trial.model.zero_grad()
    expected = by_hand(trial, rows, direction)
    expected.backward()
    assert torch.allclose(found, expected.detach(), rtol=1e-10)
    assert gradients.keys() == trial.gradients().keys()
    assert {name.split(".")[1] for name in gradients} == {"0", "1"}
    for name, value in trial.gradients().items():
        assert torch.allclose(gradients[name], value, rtol=1e-8, atol=1e-14), name


def test_gradients_of_stage_one_are_those_of_the_last_exit(make_trial):
    trial, rows = begun(make_trial, epoch=1), [0, 1, 2]
    found = trial.run.step(trial.context([micro_batch(rows)], 1))
    gradients = trial.gradients()
    trial.model.zero_grad()
    expected = functional.cross_entropy(trial.model(micro_batch(rows).inputs)[-1], micro_batch(rows).labels)
    expected.backward()
    assert torch.allclose(found, expected.detach())
    trained = {name: value for name, value in trial.gradients().items() if value.abs().sum() > 0}
    assert trained.keys() <= gradients.keys()
    assert all(torch.allclose(gradients[name], value, atol=1e-14) for name, value in trained.items())


@pytest.mark.parametrize("layers", ["all", [2, 3]], ids=str)
def test_kept_states_change_nothing(layers: object, make_trial):
    """Also where the backbone's dropout is on outside of the frozen stage, and examples come in other company."""
    losses, gradients = [], []
    for memory in (KEPT, NOT_KEPT):
        trial = begun(make_trial, dropout=0.4, layers=layers, **memory)
        batch = [micro_batch([7, 2, 0], 0.6), micro_batch([4, 1], 0.4)]
        losses.append(trial.run.step(trial.context(batch, 3)))
        gradients.append(trial.gradients())
        assert len(trial.updates) == 1
    assert torch.allclose(*losses, rtol=1e-12)
    assert gradients[0].keys() == gradients[1].keys()
    for name, value in gradients[0].items():
        assert torch.allclose(value, gradients[1][name], rtol=1e-9, atol=1e-14), name


def test_with_dropout_in_the_frozen_part_nothing_is_kept(make_trial):
    trial = begun(make_trial, dropout=0.4, frozen_dropout=True)
    assert trial.made == trial.run.preparation(3) == ()
    losses = {trial.run.step(trial.context([micro_batch([0, 1])], 3)).item() for _ in range(3)}
    assert len(losses) == 3


@either
@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_flops_equal_the_counter(memory: dict[str, int], epoch: int, make_trial):
    trial = begun(make_trial, epoch, **memory)
    batch = [micro_batch([7, 2, 0], 0.6), micro_batch([4, 1], 0.4)]
    with FlopCounterMode(display=False) as counter:
        trial.run.step(trial.context(batch, epoch))
    passes = trial.run.passes(epoch, 0)
    shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
    assert counter.get_total_flops() == sum(training_flops(trial.model.costs(*shape), passes) for shape in shapes) > 0


def test_flops_of_the_preparation_equal_the_counter(make_trial):
    trial = begun(make_trial, epoch=1)
    assert trial.made == trial.run.preparation(1) == trial.run.preparation(4) == ()
    with FlopCounterMode(display=False) as counter:
        made = trial.run.prepare(context_of(trial))
    assert made == trial.run.preparation(3)
    shapes = [tuple(micro.inputs.input_ids.shape) for micro in in_order()]
    assert counter.get_total_flops() == sum(training_flops(trial.model.costs(*shape), made) for shape in shapes) > 0


def test_states_are_made_once_and_again_after_a_pause(make_trial):
    trial = begun(make_trial)
    assert len(trial.made) == 1
    assert trial.run.prepare(context_of(trial)) == trial.run.prepare(context_of(trial, 4)) == ()
    trial.run.load_state_dict(trial.run.state_dict())
    assert trial.run.prepare(context_of(trial, 4)) == trial.made
    assert trial.run.preparation(4) == ()


@pytest.mark.parametrize("less", [0, 1])
def test_memory_has_a_limit(less: int, make_trial):
    shape = TrialShape((1, 2, 3), 3, 2, EPOCHS, hidden_size=12, train_tokens=100)
    needed = needed_bytes(shape, (1, 2))
    assert needed == 100 * 12 * 2 * 4
    run = FastBert(cache_bytes=needed - less).begin(shape)
    assert bool(run.preparation(3)) == (less == 0)
    (only,) = run.passes(3, 0)
    exits = (1, 2) if less == 0 else (1, 2, 3)
    assert only == Pass(exits, ((1, 2),), frozenset({Part.HEADS}), from_memory=less == 0)
    earlier = dataclasses.replace(shape, reads_earlier=True)
    assert FastBert().begin(earlier).preparation(3) == ()


def test_what_is_asked_of_the_trainer(make_trial):
    run = begun(make_trial, epoch=1).run
    trial = begun(make_trial, epoch=1)
    with pytest.raises(ValueError, match="without `prepare`"):
        run.step(trial.context([micro_batch([0])], 3))
    nameless = dataclasses.replace(micro_batch([0]), indices=None)
    with pytest.raises(ValueError, match="rows"):
        run.prepare(dataclasses.replace(context_of(trial), batches=lambda: iter([nameless])))


def test_regression_is_refused():
    with pytest.raises(InputError, match=r"fastbert: .* regression"):
        FastBert().begin(TrialShape((1, 2), 2, 1, EPOCHS))


def test_divergence_is_the_librarys():
    generator = torch.Generator().manual_seed(0)
    students, teacher = (
        torch.randn(3, 5, 4, generator=generator).double(),
        torch.randn(5, 4, generator=generator).double(),
    )
    first, second = divergences(students, teacher), divergences(students, teacher, "student_first")
    for row, student in enumerate(students):
        said, target = student.log_softmax(-1), teacher.log_softmax(-1)
        assert torch.allclose(first[row], functional.kl_div(said, target.exp(), reduction="batchmean"))
        assert torch.allclose(second[row], functional.kl_div(target, said.exp(), reduction="batchmean"))
    assert divergences(teacher[None], teacher).abs().item() < 1e-15
    sure = torch.tensor([[500.0, 0.0]])
    assert divergences(-sure[None], sure).item() == pytest.approx(500)
    assert divergences(students.bfloat16(), teacher).dtype == torch.float32
    with pytest.raises(ValueError, match="direction"):
        divergences(students, teacher, "backwards")
    constant = teacher.requires_grad_()
    assert not divergences(students, constant).requires_grad
