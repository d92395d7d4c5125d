"""Losses against the labels, for all exits at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from greenexp.objectives import exit_losses


@given(st.integers(1, 4), st.integers(1, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_cross_entropy_by_its_definition(exits: int, examples: int, classes: int, seed: int):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 5, (exits, examples, classes)), rng.integers(0, classes, examples)
    expected = -log_softmax(logits, axis=-1)[:, np.arange(examples), labels].mean(axis=1)
    found = exit_losses(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_squared_error_for_one_class():
    logits = torch.tensor([[[1.0], [2.0]], [[0.0], [0.0]]])
    assert exit_losses(logits, torch.tensor([1.0, 4.0])).tolist() == [2.0, 8.5]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_computed_in_float32(dtype: torch.dtype):
    logits = torch.tensor([[[3.0, -2.0, 0.5]]])
    found = exit_losses(logits.to(dtype), torch.tensor([1], dtype=torch.int32))
    assert found.dtype == torch.float32
    assert found == exit_losses(logits, torch.tensor([1]))


def test_saturated_logits_stay_finite():
    losses = exit_losses(torch.tensor([[[1e4, -1e4]]]), torch.tensor([1]))
    assert losses.tolist() == [2e4]


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (3, 3)])
def test_labels_that_would_be_broadcast_are_refused(classes: int, shape: tuple[int, ...]):
    """As many examples as exits: a column of labels would give each exit one label."""
    with pytest.raises(ValueError, match="labels of shape"):
        exit_losses(torch.zeros(3, 3, classes), torch.zeros(shape))
