"""Distillation from a teacher of another sweep; and what all methods with a teacher have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from taught_trials import TAUGHT, trial
from torch.utils.flop_counter import FlopCounterMode

from greenexp.errors import InputError
from greenexp.methods.base import MicroBatch
from greenexp.methods.pricing import passes_flops
from greenexp.methods.teacher import spread
from greenexp.objectives import exit_losses
from greenexp.objectives.knowledge import soft_targets


def test_distillation_is_its_formula(teacher: Path, make_batch) -> None:
    found, batch = trial({"name": "distillation", "layers": 2, "alpha": 0.3}, teacher), make_batch((6, 8))
    total = found.run.step(found.context(batch))
    expected = sum(
        micro.share
        * (
            0.7 * exit_losses(logits := found.model(micro.inputs, (2,)), micro.labels).mean()
            + 0.3 * soft_targets(logits, found.run.teacher(micro.inputs, (4,))[0].detach(), 2.0).mean()
        )
        for micro in batch
    )
    found.check_step(total, expected)


@pytest.mark.parametrize("fields", TAUGHT, ids=lambda fields: " ".join(map(str, fields.values())))
def test_declared_passes_of_student_and_teacher_equal_the_counter(fields, teacher: Path, make_batch) -> None:
    found = trial(fields, teacher)
    batch: list[MicroBatch] = make_batch((5, 9))
    for step in range(4):
        with FlopCounterMode(display=False) as counter:
            found.run.step(found.context(batch, step=step))
        found.model.zero_grad()
        passes = found.run.passes(1, step)
        shapes = [tuple(micro.inputs.input_ids.shape) for micro in batch]
        expected = sum(passes_flops(found.model, found.run.teacher, shape, passes) for shape in shapes)
        assert expected == counter.get_total_flops() > 0


def test_where_students_start(teacher: Path) -> None:
    found = trial({"name": "distillation", "layers": 2}, teacher)
    own, his = found.model.backbone.layer_list(), found.run.teacher.backbone.layer_list()
    for mine, theirs in zip(own, (his[0], his[3]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    assert spread(6, 12) == (1, 3, 5, 8, 10, 12)
    assert spread(1, 6) == (6,)


def test_teachers_that_do_not_fit(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"method\.teacher.*nowhere"):
        trial(TAUGHT[0], tmp_path / "nowhere")
    with pytest.raises(InputError, match="2 labels, and the task has 3"):
        trial(TAUGHT[0], teacher, labels=3)
    with pytest.raises(InputError, match="does not divide a predecessor of 4"):
        trial({"name": "theseus", "layers": 3}, teacher)
