"""Batches that are computed in pieces, as they do not fit into memory whole, give the numbers of the whole ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from greenexp.errors import MemoryShortageError, TrialError
from greenexp.meters import open_meters
from greenexp.methods import METHODS
from greenexp.methods.base import MethodRun, MicroBatch
from greenexp.model import MultiExitModel
from greenexp.records.trial import TrialSpec
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun
from greenexp.training.isolation import epoch_seed, isolated
from greenexp.training.pieces import why_undivided
from greenexp.training.trial_setup import TrialSetup
from greenexp.training.under_way import EpochUnderWay

Make = Callable[..., TrialSpec]

CPU = torch.device("cpu")
EPOCHS = 2
OTHERWISE: dict[str, dict[str, Any]] = {
    "fastbert, recomputed": {"cache_bytes": 0, "frozen_dropout": True},
    "leebert, blo": {"weights": "blo", "teachers": "later"},
    "shallow_deep, ic_only": {"mode": "ic_only", "frozen_dropout": True},
    "romebert, next": {"teacher": "next", "project": "last"},
    "berxit, no module": {"learning_to_exit": False},
}


def trained(spec: TrialSpec, data: TokenisedTask, at_once: int | None) -> dict[str, Any]:
    """What a trial holds after all its epochs in float64, what it said, and what it counted."""
    meters = open_meters(cpus=1, exclusive=False)
    with isolated(epoch_seed(spec.seeds.order, 0), 1, CPU):
        work = TrialSetup.build(spec, data, CPU, meters, at_once)
    work.model.double()
    said: dict[str, Any] = {}
    for epoch in range(1, work.training.epochs + 1):
        under_way = EpochUnderWay(epoch)
        with isolated(epoch_seed(spec.seeds.order, epoch), 1, CPU):
            work.enter(epoch)
            assert work.train(under_way, work.steps(epoch), lambda: False)
        said |= {f"losses {epoch}": torch.stack(under_way.losses), f"flops {epoch}": under_way.flops}
    tensors, plain = work.state()
    return {**said, **tensors, **plain}


@pytest.fixture(scope="module")
def few() -> TokenisedTask:
    """Three steps of 20 examples and fewer an epoch."""
    task = Clauses(train=54, dev=20, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 24)


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            assert torch.allclose(found[name].double(), value.double(), rtol=1e-7, atol=1e-10), name
        else:
            assert found[name] == value, name


@pytest.mark.parametrize("title", [*(name for name in METHODS if not METHODS[name].predicts_tokens), *OTHERWISE])
def test_pieces_train_as_the_whole_does(trial: Make, few: TokenisedTask, title: str, tmp_path: Path) -> None:
    method = {"name": title.partition(",")[0], **OTHERWISE.get(title, {})}
    backbone = {"pooling": "pooler", "dropout": 0.2}
    if "teacher" in METHODS[method["name"]].__dataclass_fields__:
        with TrialRun(trial(method={"name": "finetune"}, backbone=backbone), few, model_folder=tmp_path) as run:
            next(run)
        method["teacher"] = str(tmp_path)
    spec = trial(method=method, backbone=backbone, epochs=EPOCHS, batch_size=20, clip_norm=0.5)
    check(trained(spec, few, 7), trained(spec, few, None))


def test_pieces_of_attention_that_is_computed_openly(trial: Make, few: TokenisedTask) -> None:
    """Torch's kernel and the open computation draw the same masks, so that all four are the same."""
    specs = [trial(backbone={"dropout": 0.2, "attention": way}, epochs=1, batch_size=20) for way in ("eager", "sdpa")]
    whole, *others = [trained(spec, few, at_once) for spec in specs for at_once in (None, 7)]
    for other in others:
        check(other, whole)
    undropped = trained(trial(backbone={"dropout": 0.0}, epochs=1, batch_size=20), few, None)
    assert not torch.allclose(undropped["losses 1"], whole["losses 1"], rtol=1e-3)


@pytest.mark.parametrize("backbone", ["albert", "distilbert", "electra", "mobilebert", "roberta"])
def test_pieces_of_every_backbone(trial: Make, few: TokenisedTask, backbone: str) -> None:
    spec = trial(backbone={"name": backbone, "dropout": 0.2}, epochs=1, batch_size=20)
    check(trained(spec, few, 10), trained(spec, few, None))


def test_a_batch_costs_as_much_in_pieces_where_a_part_of_it_is_computed_once(trial: Make, few: TokenisedTask) -> None:
    """DeBERTa projects its table of positions once per batch, whatever the number of examples."""
    spec = trial(backbone={"name": "deberta", "dropout": 0.0}, epochs=1, batch_size=20)
    check(trained(spec, few, 4), trained(spec, few, None))


@pytest.mark.parametrize("head", ["attention", "mixed_pool", "pooled", "scalar_mix"])
def test_pieces_of_micro_batches_and_of_every_head(trial: Make, few: TokenisedTask, head: str) -> None:
    exits = {"head": {"name": head, "dropout": 0.3}}
    spec = trial(exits=exits, backbone={"dropout": 0.2}, epochs=1, batch_size=24, micro_batch_size=10)
    check(trained(spec, few, 4), trained(spec, few, None))


def test_pieces_in_bf16_differ_by_rounding_alone(trial: Make, data: TokenisedTask) -> None:
    spec = trial(epochs=1, precision="bf16", backbone={"dropout": 0.2})
    with TrialRun(spec, data) as whole, TrialRun(spec, data, at_once=5) as pieces:
        expected, found = next(whole), next(pieces)
    assert found.train_loss == pytest.approx(expected.train_loss, rel=5e-3)
    assert found.costs.train_flops == expected.costs.train_flops
    assert found.computed_with["micro_batch_size"] == "5"
    assert "micro_batch_size" not in expected.computed_with


def test_what_is_not_divided(trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    work = TrialSetup.build(trial(), data, CPU, open_meters(cpus=1, exclusive=False))
    assert work.undivided == ""
    with monkeypatch.context() as changed:
        changed.setattr(type(work.method), "divides", False)
        assert type(work.method).__name__ in why_undivided(work.model, work.method, CPU)
    normal = nn.Sequential(work.model, nn.BatchNorm1d(3))
    assert "normalisation" in why_undivided(normal, work.method, CPU)
    assert "GPU" in why_undivided(work.model, work.method, torch.device("cuda"))
    still = trial(backbone={"dropout": 0.0}, exits={"head": {"name": "linear", "dropout": 0.0}})
    quiet = TrialSetup.build(still, data, CPU, open_meters(cpus=1, exclusive=False))
    assert why_undivided(quiet.model, quiet.method, torch.device("cuda")) == ""


@pytest.mark.parametrize("draw", ["by torch", "otherwise"])
def test_other_draws_are_found(trial: Make, data: TokenisedTask, draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = MultiExitModel.forward

    def noisy(self: Any, tokens: Any, exits: Any = None) -> Any:
        said = before(self, tokens, exits)
        noise = torch.randn_like(said) if draw == "by torch" else said.detach().clone().cauchy_()
        return said + noise

    monkeypatch.setattr(MultiExitModel, "forward", noisy)
    with TrialRun(trial(), data, at_once=7) as run, pytest.raises(TrialError, match="divided"):
        next(run)


class Hungry:
    """Runs out of memory where more than `most` examples are computed at once."""

    def __init__(self, most: int, error: Exception) -> None:
        self.most, self.error = most, error
        self.calls = itertools.count()
        self.before = MultiExitModel.forward

    def forward(self, model: Any, tokens: Any, exits: Any = None) -> Any:
        next(self.calls)
        if len(tokens.input_ids) > self.most:
            raise self.error
        return self.before(model, tokens, exits)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nmore"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."),
    MemoryError("Unable to allocate 4.00 GiB"),
]


@pytest.fixture(params=ERRORS, ids=lambda error: type(error).__name__)
def hungry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Hungry:
    found = Hungry(8, request.param)

    def forward(model: MultiExitModel, *inputs: Any) -> Any:
        return found.forward(model, *inputs)

    monkeypatch.setattr(MultiExitModel, "forward", forward)
    return found


def test_a_run_says_that_memory_ran_out_and_a_smaller_one_goes_on(
    trial: Make, data: TokenisedTask, hungry: Hungry
) -> None:
    with TrialRun(trial(), data) as run:
        with pytest.raises(MemoryShortageError) as caught:
            next(run)
        assert (caught.value.at_once, caught.value.undivided) == (16, "")
        assert str(hungry.error).splitlines()[0] == caught.value.told
        assert run.repeated().wall_s > 0
        with pytest.raises(MemoryShortageError):
            next(run)
    with TrialRun(trial(epochs=1), data, at_once=8) as run:
        assert [record.epoch for record in run] == [1]


def test_another_error_is_no_shortage(trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(functional, "layer_norm", wrong)
    with TrialRun(trial(), data) as run, pytest.raises(RuntimeError, match="shapes"):
        next(run)


def test_a_micro_batch_is_a_batch_to_a_method(trial: Make, data: TokenisedTask) -> None:
    """What a method may do with its batch: index it, count it, go over it twice."""
    seen: list[list[int]] = []

    def step(self: Any, context: Any) -> Any:
        seen.append([len(micro.labels) for micro in context.batch])
        assert isinstance(context.batch[0], MicroBatch)
        assert len(context.batch[1:]) == len(context.batch) - 1
        assert sum(micro.share for micro in context.batch) == pytest.approx(1)
        return MethodRun.step(self, context)

    with pytest.MonkeyPatch.context() as patch, TrialRun(trial(epochs=1), data, at_once=6) as run:
        patch.setattr("greenexp.methods.joint.JointRun.step", step, raising=False)
        next(run)
    assert seen[0] == [6, 6, 4]
