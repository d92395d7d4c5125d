"""Pre-training: the loss against the formula, groups against the whole, FLOPs against torch's counter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from method_cases import Case, Trial
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.meters.flops import training_flops
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.elasticbert_pretraining import ElasticBertPretraining
from greenexp.records.costs import Part
from greenexp.records.masking import NOT_MASKED, masked_places

HEAD = {"name": "pretraining", "dropout": 0.0}


def case(**fields: Any) -> Case:
    return Case({"name": "elasticbert_pretraining", **fields}, (1, 1, 1), head=HEAD, backbone={"pooling": "cls"})


def masked(batch: list[MicroBatch]) -> list[MicroBatch]:
    """The batch with one place per row that is masked, and with further ones that are not needed."""
    rng, found = np.random.default_rng(3), []
    for micro in batch:
        examples, length = micro.inputs.input_ids.shape
        shape = (examples, masked_places(length))
        places = torch.from_numpy(rng.integers(0, length, shape))
        targets = torch.from_numpy(rng.integers(0, 30, shape))
        targets[1:, 1:] = NOT_MASKED
        tokens = TokenBatch(micro.inputs.input_ids, micro.inputs.attention_mask, None, places)
        found.append(MicroBatch(tokens, micro.labels, micro.share, targets=targets))
    return found


def exit_loss(trial: Trial, batch: list[MicroBatch], number: int) -> Tensor:
    """MLM_l + SOP_l of one exit, token by token and example by example."""
    every, order, examples = [], [], 0
    for micro in batch:
        out = trial.model.outputs(micro.inputs, (number,))
        assert out.tokens is not None
        assert micro.targets is not None
        for row, targets in zip(out.tokens[0], micro.targets, strict=True):
            pairs = zip(row, targets.tolist(), strict=True)
            every += [-functional.log_softmax(z, 0)[y] for z, y in pairs if y != NOT_MASKED]
        order += [-functional.log_softmax(z, 0)[y] for z, y in zip(out.logits[0], micro.labels, strict=True)]
        examples += len(micro.labels)
    return torch.stack(every).sum() / len(every) + torch.stack(order).sum() / examples


@pytest.mark.parametrize("lengths", [(12,), (12, 9, 7)], ids=["one batch", "micro-batches"])
@pytest.mark.parametrize("fields", [{}, {"groups": 2}, {"exits": "last"}], ids=str)
def test_a_step_is_the_formula(fields: dict[str, Any], lengths: tuple[int, ...], make_trial, make_batch):
    trial, batch = make_trial(case(equilibrium=False, **fields)), masked(make_batch(lengths))
    found = trial.run.step(trial.context(batch, step=1))
    exits = trial.run.group(1)
    assert exits == {"{}": (1, 2, 3), "{'groups': 2}": (2,), "{'exits': 'last'}": (3,)}[str(fields)]
    trial.check_step(found, torch.stack([exit_loss(trial, batch, number) for number in exits]).sum())


@pytest.mark.parametrize("grouping", ["alternating", "random"])
@pytest.mark.parametrize("groups", [2, 3])
def test_the_gradients_of_the_groups_add_up_to_that_of_all_exits(
    groups: int, grouping: str, make_trial, make_batch
) -> None:
    batch, total = masked(make_batch((12, 9))), {}
    every = make_trial(case(equilibrium=False))
    every.run.step(every.context(batch))
    for step in range(groups):
        part = make_trial(case(equilibrium=False, groups=groups, grouping=grouping))
        part.run.step(part.context(batch, step=groups + step))
        for name, value in part.gradients().items():
            total[name] = total.get(name, 0) + value
        # Of one group: no other head has a gradient, and the encoder's is that of the group's losses alone.
        heads = {int(name.split(".")[1]) + 1 for name in part.gradients() if name.startswith("heads.")}
        assert heads == set(part.run.group(groups + step))
    assert total.keys() == every.gradients().keys()
    for name, value in every.gradients().items():
        assert torch.allclose(total[name], value, rtol=1e-9, atol=1e-14), name


def test_with_equilibrium_a_layer_gets_the_mean_over_the_exits_of_its_step(make_trial, make_batch) -> None:
    batch = masked(make_batch((12,)))
    trial = make_trial(case())
    trial.run.step(trial.context(batch))
    found, alone = trial.gradients(), []
    for number in trial.model.exits:
        trial.model.zero_grad()
        exit_loss(trial, batch, number).backward()
        alone.append(trial.gradients())
    for layer in (1, 2, 3):
        name = f"backbone.model.encoder.layer.{layer - 1}.intermediate.dense.weight"
        reference = torch.stack([one[name] for one in alone if name in one]).sum(0) / (4 - layer)
        assert torch.allclose(found[name], reference, rtol=1e-9, atol=1e-14)
        own = f"heads.{layer - 1}.transform.weight"
        assert torch.allclose(found[own], alone[layer - 1][own], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("freeze", [(), (Part.EMBEDDINGS,)], ids=["all", "frozen embeddings"])
@pytest.mark.parametrize("lengths", [(12,), (5, 9, 3)], ids=["one batch", "micro-batches"])
@pytest.mark.parametrize("fields", [{}, {"groups": 2, "grouping": "random"}, {"exits": "last"}], ids=str)
def test_declared_passes_equal_the_counter(fields, lengths, freeze, make_trial, make_batch) -> None:
    for step in (0, 1):
        trial, batch = make_trial(case(**fields), freeze=freeze), masked(make_batch(lengths))
        with FlopCounterMode(display=False) as counter:
            trial.run.step(trial.context(batch, step=step))
        passes = trial.run.passes(1, step)
        shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
        expected = sum(training_flops(trial.model.costs(*shape), passes, frozen=freeze) for shape in shapes)
        assert expected == counter.get_total_flops() > 0


@pytest.mark.parametrize("grouping", ["alternating", "random"])
@pytest.mark.parametrize("groups", [1, 2, 3, 12])
def test_each_exit_has_one_step_of_a_round(groups: int, grouping: str) -> None:
    shape = TrialShape(tuple(range(1, 13)), 12, 2, 1, seed=5)
    run = ElasticBertPretraining(groups=groups, grouping=grouping).begin(shape)  # type: ignore[arg-type]
    rounds = [[run.group(round_ * groups + place) for place in range(groups)] for round_ in range(4)]
    for one in rounds:
        assert sorted(number for group in one for number in group) == list(shape.exits)
        assert {len(group) for group in one} == {12 // groups}
    assert (len({str(one) for one in rounds}) > 1) == (grouping == "random" and groups > 1)
    if grouping == "alternating" and groups == 2:
        assert rounds[0] == [(1, 3, 5, 7, 9, 11), (2, 4, 6, 8, 10, 12)]


def test_more_groups_than_exits_are_refused() -> None:
    for fields in ({"groups": 4}, {"groups": 2, "exits": "last"}):
        with pytest.raises(InputError, match="groups is"):
            ElasticBertPretraining(**fields).begin(TrialShape((1, 2, 3), 3, 2, 1))  # type: ignore[arg-type]
