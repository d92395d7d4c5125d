"""What a student learns from another model, against formulas written out, finite differences and official values."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from greenexp.objectives.knowledge import (
    patient_loss,
    score_distance,
    soft_cross_entropy,
    soft_targets,
    state_distance,
)
from greenexp.objectives.supervised import exit_losses


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("reduction", ["batchmean", "mean"])
def test_soft_targets_are_the_divergence_written_out(temperature: float, reduction: str) -> None:
    student, teacher = drawn(2, 5, 3), drawn(5, 3, seed=1)
    p = torch.exp(teacher / temperature) / torch.exp(teacher / temperature).sum(-1, keepdim=True)
    q = torch.exp(student / temperature) / torch.exp(student / temperature).sum(-1, keepdim=True)
    each = (p * torch.log(p / q)).sum(-1).mean(1) * temperature**2
    expected = each if reduction == "batchmean" else each / 3
    assert torch.allclose(soft_targets(student, teacher, temperature, reduction), expected, rtol=1e-12)


def test_soft_targets_teach_the_student_alone() -> None:
    student, teacher = drawn(2, 4, 3).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: soft_targets(z, teacher.detach(), 3.0), (student,))
    soft_targets(student, teacher, 3.0).sum().backward()
    assert teacher.grad is None


@pytest.mark.parametrize("normalised", [True, False])
def test_patient_loss_is_the_mean_square_written_out(normalised: bool) -> None:
    student, teacher = drawn(3, 2, 4).requires_grad_(), drawn(3, 2, 4, seed=1)
    total = 0.0
    for i in range(3):
        for j in range(2):
            own, his = student[i, j].detach(), teacher[i, j]
            if normalised:
                own, his = own / own.square().sum().sqrt(), his / his.square().sum().sqrt()
            total += float((own - his).square().sum()) / 24
    assert float(patient_loss(student.detach(), teacher, normalised=normalised)) == pytest.approx(total, rel=1e-12)
    assert torch.autograd.gradcheck(lambda s: patient_loss(s, teacher, normalised=normalised), (student,))


def test_the_official_pkd_losses(shared: Callable[[str], Path]) -> None:
    """intersun/PKD-for-BERT-Model-Compression@9e9e8609, by its own code; the states in half precision."""
    data = json.loads(shared("reference/earlyexit/distillation_losses.json").read_text())
    logits = torch.tensor(data["inputs"]["logits"], dtype=torch.float64)
    labels, (student, teacher) = torch.tensor(data["inputs"]["labels"]), (logits[5:6], logits[11])
    for name, (total, told, supervised) in data["bert_pkd"]["kd"].items():
        temperature, alpha = (float(part[1:]) for part in name.split("_"))
        found = float(soft_targets(student, teacher, temperature, "mean"))
        own = float(exit_losses(student, labels))
        assert (found, own) == pytest.approx((told, supervised), abs=2e-6)
        assert alpha * found + (1 - alpha) * own == pytest.approx(total, abs=2e-6)
    states = data["bert_pkd"]["patience"]
    pair = torch.tensor(states["student"]), torch.tensor(states["teacher"])
    assert float(patient_loss(*pair)) == pytest.approx(states["normalised"], rel=1e-3)
    assert float(patient_loss(*pair, normalised=False)) == pytest.approx(states["raw"], rel=1e-3)


def test_the_official_tinybert_answers(shared: Callable[[str], Path]) -> None:
    """huawei-noah/Pretrained-Language-Model, TinyBERT, task_distill.py soft_cross_entropy, by its own code."""
    data = json.loads(shared("reference/earlyexit/distillation_losses.json").read_text())
    logits = torch.tensor(data["inputs"]["logits"], dtype=torch.float64)
    found = soft_cross_entropy(logits[5:6], logits[11], data["tinybert_soft_ce"]["temperature"], "mean")
    assert float(found) == pytest.approx(data["tinybert_soft_ce"]["loss"], abs=2e-6)


@pytest.mark.parametrize("padded", [True, False])
def test_distances_are_means_over_real_tokens_written_out(padded: bool) -> None:
    own, his, lengths = drawn(2, 4, 3), drawn(2, 4, 3, seed=1), (4, 2) if padded else (4, 4)
    scores, taught = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1)
    real = torch.arange(4) < torch.tensor(lengths)[:, None] if padded else None
    states = pairs = 0.0
    for i, count in enumerate(lengths):
        for a in range(count):
            states += sum(float((own[i, a, k] - his[i, a, k]) ** 2) for k in range(3)) / (2 * count * 3)
            for h, b in itertools.product(range(3), range(count)):
                pairs += float((scores[i, h, a, b] - taught[i, h, a, b]) ** 2) / (2 * 3 * count**2)
    assert float(state_distance(own, his, real)) == pytest.approx(states, rel=1e-12)
    assert float(score_distance(scores, taught, real)) == pytest.approx(pairs, rel=1e-12)
    assert torch.autograd.gradcheck(lambda x: state_distance(x, his, real), (own.requires_grad_(),))
    assert torch.autograd.gradcheck(lambda x: score_distance(x, taught, real), (scores.requires_grad_(),))
    answers = drawn(2, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: soft_cross_entropy(x, his[0], 2.0, "batchmean"), (answers,))
