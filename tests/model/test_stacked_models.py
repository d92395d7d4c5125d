"""Models computed as one say what each says alone, and get the gradients that each gets alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from encoder_families import FAMILIES, VARIANTS, section
from torch import Tensor, nn

from greenexp.backbones.base import TokenBatch
from greenexp.backbones.bert import BertBackbone
from greenexp.exits import HEADS
from greenexp.model import MultiExitModel, build_model
from greenexp.model.stacked import StackedModels, why_not_stacked
from greenexp.records.settings import ModelSettings

SEEDS = (1, 2, 3)
REFUSED = ("deberta", "mobilebert", "mpnet")
"""Families whose layers read something that has no examples along its first axis, or hold weights of other forms."""


def models(variant: str = "bert", head: str = "linear", **backbone: Any) -> list[MultiExitModel]:
    exits = {"layers": "all", "head": {"name": head}}
    settings = ModelSettings.from_json({"backbone": {**section(variant), **backbone}, "exits": exits})
    return [build_model(settings, 3, 50, 0, seed).eval() for seed in SEEDS]


def batches(padded: bool, types: bool) -> list[TokenBatch]:
    """One per model, 4 examples of 7 tokens; if `padded`, the last tokens of some are none."""
    rng = np.random.default_rng(5)
    made = []
    for _ in SEEDS:
        lengths = torch.from_numpy(rng.integers(3, 8, 4)) if padded else torch.full((4,), 7)
        real = torch.arange(7).unsqueeze(0) < lengths.unsqueeze(1)
        ids = torch.from_numpy(rng.integers(4, 50, (4, 7))).where(real, 0)
        kinds = torch.from_numpy(rng.integers(0, 2, (4, 7))) if types else None
        made.append(TokenBatch(ids, real.long() if padded else None, kinds))
    return made


def joined(parts: list[TokenBatch]) -> TokenBatch:
    fields = [[getattr(part, name) for part in parts] for name in ("input_ids", "attention_mask", "token_type_ids")]
    return TokenBatch(*(None if None in map(_or_none, own) else torch.cat(own) for own in fields))  # type: ignore[arg-type]


def _or_none(value: Tensor | None) -> int | None:
    return None if value is None else 1


def objective(logits: Tensor) -> Tensor:
    return (logits * torch.arange(1, logits.numel() + 1).reshape(logits.shape) / logits.numel()).sum()


def check(made: list[MultiExitModel], parts: list[TokenBatch]) -> None:
    expected = []
    for model, part in zip(made, parts, strict=True):
        logits = model(part)
        objective(logits).backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        expected.append((logits.detach(), gradients))
        model.zero_grad()
    stack = StackedModels(made)
    stack.expect(4)
    found = stack.model(joined(parts)).unflatten(1, (len(made), 4))
    sum((objective(found[:, number]) for number in range(len(made))), start=torch.zeros(())).backward()
    for number, (logits, gradients) in enumerate(expected):
        assert torch.allclose(found[:, number], logits, atol=1e-5, rtol=1e-5)
        for name, gradient in gradients.items():
            whole = stack.parameters[name].grad
            assert (whole is None) == (gradient is None), name
            if whole is not None and gradient is not None:
                assert torch.allclose(whole[number], gradient, atol=1e-4, rtol=1e-4), name


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("variant", [name for name, (family, _) in VARIANTS.items() if family not in REFUSED])
def test_every_family_that_says_so(variant: str, padded: bool) -> None:
    made = models(variant)
    assert why_not_stacked(made[0]) == ()
    check(made, batches(padded, types=getattr(made[0].backbone, "reads_types", False)))


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_every_pooling(pooling: str) -> None:
    check(models(pooling=pooling), batches(padded=True, types=True))


@pytest.mark.parametrize("head", ["attention", "pooled"])
def test_heads_with_layers_of_the_known_forms(head: str) -> None:
    check(models(head=head, pooling="pooler"), batches(padded=True, types=True))


def test_every_family_and_head_is_stacked_or_refused() -> None:
    refused = {name for name in FAMILIES if why_not_stacked(models(name)[0])}
    assert refused == set(REFUSED)
    sections = {head: why_not_stacked(models(head=head)[0]) for head in HEADS if head != "pretraining"}
    assert {head: [section for section, _ in found] for head, found in sections.items() if found} == {
        "mixed_pool": ["exits"], "scalar_mix": ["exits"],
    }  # fmt: skip


def test_a_backbone_of_somebody_else_is_refused_until_it_says_so() -> None:
    made = models()[0]

    class Other(BertBackbone):
        stacks = False

    made.backbone.__class__ = Other
    ((section_, why),) = why_not_stacked(made)
    assert section_ == "backbone"
    assert "Other" in why


def test_means_over_the_batch_are_refused() -> None:
    made = models()[0]
    made.heads[0].norm = nn.BatchNorm1d(16, affine=False)
    ((section_, why),) = why_not_stacked(made)
    assert (section_, "heads.0.norm" in why) == ("exits", True)


def test_each_model_is_a_view_of_the_whole() -> None:
    """What changes in the stack changes in the model, and a model is saved and loaded as ever."""
    made = models()
    before = [{name: value.clone() for name, value in model.state_dict().items()} for model in made]
    stack = StackedModels(made)
    for model, state in zip(made, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        for parameter in stack.parameters.values():
            parameter[1] += 1
    changed = [
        not torch.equal(next(model.parameters()), next(iter(state.values())))
        for model, state in zip(made, before, strict=True)
    ]
    assert changed == [False, True, False]
    assert made[0].parameter_count() == models()[0].parameter_count()
