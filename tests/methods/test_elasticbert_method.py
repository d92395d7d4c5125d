"""ElasticBERT: gradients against the mean by hand, steps in pieces, costs, and its place in a sweep."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from method_cases import POOLED, Case, Trial
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.meters.flops import training_flops
from greenexp.methods.base import MicroBatch
from greenexp.methods.elasticbert import ElasticBertFineTuning
from greenexp.records.costs import Part

FIELDS = {"name": "elasticbert"}
CASES = (
    Case(FIELDS, (1, 1, 1), head=POOLED),
    Case(FIELDS, (1, 1), exit_layers=[1, 3], head=POOLED),
    Case(FIELDS, (1, 1, 1)),
    Case(FIELDS, (1, 1), exit_layers=[2, 3], backbone={"pooling": "mean"}),
)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.head['name']} {case.exit_layers}")


def gradients_of_one_exit(trial: Trial, micro: MicroBatch, number: int, regression: bool) -> dict[str, Tensor]:
    """Of one exit's loss, summed example by example."""
    trial.model.zero_grad()
    (logits,) = trial.model(micro.inputs, (number,))
    total = torch.zeros((), dtype=torch.float64)
    for row, label in zip(logits, micro.labels, strict=True):
        term = (row[0] - label) ** 2 if regression else -functional.log_softmax(row, dim=0)[label]
        total = total + term / len(micro.labels)
    total.backward()
    return {**trial.gradients(), "loss": total.detach()}


@each_case
@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
def test_gradients_equal_the_mean_by_hand(case: Case, regression: bool, make_trial, make_batch):
    trial = make_trial(case, num_labels=1 if regression else 2)
    (micro,) = batch = make_batch(regression=regression)
    found = trial.run.step(trial.context(batch))
    gradients, model = trial.gradients(), trial.model
    alone = [gradients_of_one_exit(trial, micro, number, regression) for number in model.exits]
    assert torch.allclose(found, torch.stack([one["loss"] for one in alone]).sum(), rtol=1e-12)
    assert trial.updates == [found.item()]
    for name in dict(model.named_parameters()):
        layer = int(name.split(".layer.")[1].split(".")[0]) + 1 if ".layer." in name else 1
        shared = ".layer." in name or ".embeddings." in name
        above = sum(at >= layer for at in model.exit_layers) if shared else 1
        reference = torch.stack([one[name] for one in alone if name in one]).sum(dim=0) / above
        assert torch.allclose(gradients[name], reference, rtol=1e-9, atol=1e-14), name


@each_case
def test_micro_batches_add_up(case: Case, make_trial, make_batch):
    batch = make_batch((5, 7, 4))
    trial, total = make_trial(case), {}
    loss = trial.run.step(trial.context(batch))
    for micro in batch:
        alone = make_trial(case)
        loss = loss - micro.share * alone.run.step(alone.context([MicroBatch(micro.inputs, micro.labels, share=1.0)]))
        for name, value in alone.gradients().items():
            total[name] = total.get(name, 0) + micro.share * value
    assert abs(loss.item()) < 1e-12
    assert trial.gradients().keys() == total.keys()
    for name, value in trial.gradients().items():
        assert torch.allclose(value, total[name], rtol=1e-9, atol=1e-14), name


@each_case
@pytest.mark.parametrize("freeze", [(), (Part.EMBEDDINGS,)], ids=["all", "frozen embeddings"])
def test_declared_passes_equal_the_counter(case: Case, freeze: Any, make_trial, make_batch):
    trial, batch = make_trial(case, freeze=freeze), make_batch((5, 9, 3))
    with FlopCounterMode(display=False) as counter:
        trial.run.step(trial.context(batch))
    passes, shapes = trial.run.passes(1, 0), [tuple(micro.inputs.input_ids.shape) for micro in batch]
    expected = sum(training_flops(trial.model.costs(*shape), passes, frozen=freeze) for shape in shapes)
    assert expected == counter.get_total_flops() > 0


def test_a_step_needs_a_batch(make_trial):
    trial = make_trial(CASES[0])
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))


def test_it_has_no_fields_and_brings_its_heads():
    assert TypeAdapter(ElasticBertFineTuning).validate_python({}) == ElasticBertFineTuning()
    assert ElasticBertFineTuning.defaults == {"exits.head": {"name": "pooled"}, "backbone.pooling": "pooler"}
