"""Diversity of exits, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from greenexp.objectives import diversity


@given(st.integers(1, 5), st.integers(1, 4), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_by_its_definition(exits: int, examples: int, classes: int, seed: int):
    logits = np.random.default_rng(seed).normal(0, 3, (exits, examples, classes))
    expected = [
        np.mean(
            [min(-(softmax(logits[j, n]) * log_softmax(logits[m, n])).sum() for j in range(m)) for n in range(examples)]
        )
        for m in range(1, exits)
    ]
    found = diversity(torch.from_numpy(logits))
    assert found.shape == (exits - 1,)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11)


def test_gradients_reach_the_later_exit_alone():
    logits = torch.randn(3, 4, 3, dtype=torch.float64).requires_grad_()
    diversity(logits)[1].backward()
    assert logits.grad is not None
    assert logits.grad[:2].eq(0).all()
    log_p = torch.log_softmax(logits.detach(), dim=-1)
    for example in range(4):
        each = [-(log_p[j, example].exp() * log_p[2, example]).sum() for j in range(2)]
        nearest = int(torch.stack(each).argmin())
        expected = (log_p[2, example].exp() - log_p[nearest, example].exp()) / 4
        assert torch.allclose(logits.grad[2, example], expected, rtol=1e-12)


def test_saturated_half_precision_logits_stay_finite():
    logits = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]], dtype=torch.bfloat16).requires_grad_()
    found = diversity(logits)
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([2e4], rel=0.01)
    found.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_single_output_is_no_distribution():
    with pytest.raises(ValueError, match="two classes"):
        diversity(torch.zeros(2, 3, 1))
