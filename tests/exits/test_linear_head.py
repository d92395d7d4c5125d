"""The linear exit and the registries."""

from __future__ import annotations

import pytest
import torch

from greenexp.exits import HEADS, POLICIES
from greenexp.exits.base import ExitInput, ExitPlace
from greenexp.exits.linear import Linear


def test_registries_name_what_exists():
    assert {"attention", "linear", "mixed_pool", "pooled"} <= set(HEADS)
    assert list(POLICIES) == ["entropy", "learned", "max_probability", "oracle", "patience", "static", "voting"]
    assert HEADS["linear"] is Linear


def test_logits_are_an_affine_map_of_the_pooled_state():
    head = Linear().build(ExitPlace(8, 3)).eval()
    pooled = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    logits = head(ExitInput(hidden=pooled[:, None], pooled=pooled))
    assert torch.allclose(logits, pooled @ head.classifier.weight.T)
    assert sum(parameter.numel() for parameter in head.parameters()) == 8 * 3 + 3
    assert head.matmuls(5, 99)[0].flops == 2 * 5 * 8 * 3


def test_dropout_acts_in_training_alone():
    head = Linear(dropout=0.5).build(ExitPlace(64, 2))
    pooled = torch.ones(1, 64)
    state = ExitInput(hidden=pooled[:, None], pooled=pooled)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = head.train()(state), head(state)
    assert not torch.equal(first, second)
    assert torch.equal(head.eval()(state), head(state))


def test_it_needs_the_shared_pooler():
    head = Linear().build(ExitPlace(4, 2))
    assert head.reads_pooled
    with pytest.raises(ValueError, match="pooler"):
        head(ExitInput(hidden=torch.zeros(1, 3, 4)))
