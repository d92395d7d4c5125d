"""Distillation among exits, against sums written out by hand and against what official code printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from greenexp.objectives import distillation_matrix, teacher_mask

temperatures = st.floats(0.3, 20)


def written_out(logits: np.ndarray, tau: float, form: str) -> np.ndarray:
    """[student, teacher], one pair and one example at a time."""
    exits, examples, _ = logits.shape
    found = np.zeros((exits, exits))
    for student in range(exits):
        for teacher in range(exits):
            for example in range(examples):
                log_t = log_softmax(logits[teacher, example] / tau)
                log_s = log_softmax(logits[student, example] / tau)
                own = (np.exp(log_t) * log_t).sum() if form == "kl" else 0.0
                found[student, teacher] += tau**2 * (own - (np.exp(log_t) * log_s).sum()) / examples
    return found


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 5), temperatures, st.integers(0, 2**32 - 1))
def test_the_matrix_by_its_definition(exits: int, examples: int, classes: int, tau: float, seed: int):
    logits = np.random.default_rng(seed).normal(0, 4, (exits, examples, classes))
    for form in ("ce", "kl"):
        found = distillation_matrix(torch.from_numpy(logits), tau, form)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), written_out(logits, tau, form), rtol=1e-11, atol=1e-11)


@given(st.integers(0, 2**32 - 1), temperatures)
def test_ce_and_kl_differ_by_the_teachers_entropy_and_have_one_gradient(seed: int, tau: float):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 2, (3, 4, 3))).requires_grad_()
    weights = torch.rand(3, 3, dtype=torch.float64)
    ce, kl = (distillation_matrix(logits, tau, form) for form in ("ce", "kl"))
    log_p = torch.log_softmax(logits.detach() / tau, dim=-1)
    entropy = -(log_p.exp() * log_p).sum(dim=-1).mean(dim=-1)
    assert torch.allclose(ce - kl, (tau**2 * entropy).expand(3, 3), rtol=1e-12, atol=1e-12)
    assert (kl.detach() > -1e-12).all()
    assert kl.diagonal().detach().eq(0).all()
    first, second = (torch.autograd.grad((weights * m).sum(), logits)[0] for m in (ce, kl))
    assert torch.allclose(first, second, rtol=1e-12, atol=1e-14)


def test_no_gradient_reaches_a_teacher():
    logits = torch.randn(3, 5, 4, dtype=torch.float64).requires_grad_()
    distillation_matrix(logits, 2.0)[0, 2].backward()
    assert logits.grad is not None
    assert logits.grad[0].abs().sum() > 0
    assert logits.grad[1:].eq(0).all()


def test_the_square_of_the_temperature_is_there():
    """Without it gradients fall with tau^2; with it they tend to (z_s - z_t) / classes, centred."""
    logits = torch.tensor([[[1.0, -1.0]], [[0.5, 0.0]]], dtype=torch.float64).requires_grad_()
    distillation_matrix(logits, 1e4)[0, 1].backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].tolist() == pytest.approx([0.375, -0.375], rel=1e-4)  # ((1 + 1) - (0.5 - 0)) / 2 / 2


@pytest.mark.parametrize("form", ["ce", "kl"])
def test_gradients_by_finite_differences(form: str):
    logits = torch.randn(3, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def first_exit(student: torch.Tensor) -> torch.Tensor:
        """Of the student alone: as a teacher it is held constant, which finite differences would not see."""
        return distillation_matrix(torch.cat((student, logits[1:])), 1.7, form)[0, 1:]

    assert torch.autograd.gradcheck(first_exit, (logits[:1].clone().requires_grad_(),))


@pytest.mark.parametrize("form", ["ce", "kl"])
def test_logits_of_ten_thousand_stay_finite(form: str):
    logits = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]]).requires_grad_()
    matrix = distillation_matrix(logits, 1.0, form)
    assert matrix.tolist() == [[0.0, 2e4], [2e4, 0.0]]
    matrix.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_and_autocast_are_computed_in_float32(dtype: torch.dtype):
    logits = torch.tensor([[[3.0, -2.0, 0.5]], [[1.0, 0.25, -1.5]]])
    expected = distillation_matrix(logits, 2.0)
    assert torch.equal(distillation_matrix(logits.to(dtype), 2.0), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(distillation_matrix(logits, 2.0), expected)


def test_a_single_output_is_no_distribution():
    with pytest.raises(ValueError, match="two classes"):
        distillation_matrix(torch.zeros(2, 3, 1), 1.0)


@pytest.mark.parametrize("form", ["mse", "KL", ""])
def test_a_form_is_never_guessed(form: str):
    with pytest.raises(ValueError, match="ce or kl"):
        distillation_matrix(torch.zeros(2, 3, 2), 1.0, form)


@pytest.mark.parametrize(
    ("teachers", "expected"),
    [
        ("last", [[0, 0, 1], [0, 0, 1], [0, 0, 0]]),
        ("later", [[0, 1, 1], [0, 0, 1], [0, 0, 0]]),
        ("all", [[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    ],
)
def test_who_teaches_whom(teachers: str, expected: list[list[int]]):
    assert teacher_mask(3, teachers).int().tolist() == expected
    assert teacher_mask(1, teachers).tolist() == [[False]]
    assert not teacher_mask(5, teachers).diagonal().any()


@pytest.mark.parametrize("temperature", [0.0, -2.0, math.nan, torch.ones(3), torch.ones(3, 1, 1)])
def test_a_temperature_is_one_number_above_zero(temperature: float | torch.Tensor):
    with pytest.raises(ValueError, match="above 0"):
        distillation_matrix(torch.zeros(3, 2, 3), temperature)


def test_a_temperature_may_be_a_tensor():
    logits = torch.arange(18.0).reshape(3, 2, 3).sin()
    for dtype in (torch.float32, torch.float64):
        found = distillation_matrix(logits, torch.tensor(1.5, dtype=dtype))
        assert found.dtype == torch.float32
        assert torch.allclose(found, distillation_matrix(logits, 1.5))


def test_teachers_are_never_guessed():
    with pytest.raises(ValueError, match="last, later or all"):
        teacher_mask(3, "first")
    with pytest.raises(ValueError, match="exits"):
        teacher_mask(0, "all")


def test_mean_kl_of_official_codes(reference):
    """RomeBERT takes PyTorch's default mean, over examples and classes: gamma x our sum over classes / their number."""
    rome = reference("distillation")["romebert"]
    logits = torch.tensor(reference("exit_logits")["classes"]["3"]["logits"], dtype=torch.float64)
    students = distillation_matrix(logits, rome["temperature"], "kl")[:-1, -1]
    assert rome["gamma"] * students.sum().item() / logits.shape[-1] == pytest.approx(rome["last"]["distill"], rel=1e-5)
