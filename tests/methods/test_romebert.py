"""RomeBERT: the official losses, the projection by hand, what a step costs, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from method_cases import POOLED, Case, Trial
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from greenexp.errors import InputError
from greenexp.meters.flops import training_flops
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.romebert import RomeBert, united
from greenexp.records.costs import Part

PROJECTIONS = ["multi", "last", "none"]
LAYOUTS = {
    "pooled": {"head": POOLED},
    "shared pooler": {},
    "with a gap": {"exit_layers": [1, 3], "head": POOLED},
    "one exit": {"exit_layers": [3]},
}
each_projection = pytest.mark.parametrize("project", PROJECTIONS)
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def case_of(layout: str, **fields: Any) -> Case:
    return Case({"name": "romebert", **fields}, (), **LAYOUTS[layout])


def begun(exits: int, **fields: Any) -> Any:
    return RomeBert(**fields).begin(TrialShape(tuple(range(1, exits + 1)), exits, 3, 1))


def test_the_official_losses(reference: Any):
    official, inputs = reference("distillation"), reference("exit_logits")["classes"]["3"]
    logits, labels = torch.tensor(inputs["logits"], dtype=torch.float64), torch.tensor(inputs["labels"])
    for teacher in ("last", "next"):
        wanted = official["romebert"][teacher]
        run = begun(len(logits), teacher=teacher, reduction="mean")
        assert run.last(logits[-1], labels).item() == pytest.approx(wanted["last"], rel=1e-6)
        assert run.multi(logits, labels).item() == pytest.approx(wanted["distill"] + wanted["multi"], rel=1e-6)
        assert run.loss(logits, labels, 1).item() == pytest.approx(wanted["loss"], rel=1e-6)
        labels_alone = begun(len(logits), gamma=0.0, reduction="mean").multi(logits, labels).item()
        assert 0.1 * labels_alone == pytest.approx(wanted["multi"], rel=1e-6)
    for wanted in official["imta"]:
        run = begun(len(logits), gamma=wanted["gamma"], temperature=wanted["temperature"], reduction="mean")
        assert run.loss(logits, labels, 1).item() == pytest.approx(wanted["loss"], rel=1e-6)


def test_the_divergence_itself_is_the_default():
    logits = torch.randn(3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(5, dtype=torch.int64)
    official, ours = begun(3, gamma=1.0, reduction="mean"), begun(3, gamma=1.0)
    assert ours.multi(logits, labels).item() == pytest.approx(4 * official.multi(logits, labels).item(), rel=1e-12)


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """T^2 KL(teacher || student) of one example, T = 3; no gradient into the teacher."""
    p, q = torch.softmax(teacher.detach() / 3, dim=0), torch.softmax(student / 3, dim=0)
    return 9 * sum(a * (torch.log(a) - torch.log(b)) for a, b in zip(p, q, strict=True))


def losses_by_hand(
    logits: Sequence[Tensor], labels: Tensor, teacher: str = "last", gamma: float = 0.9
) -> tuple[Tensor, Tensor]:
    """L_last and L_multi, example by example; logits: of each exit apart, so that each loss reaches only its own."""
    last = multi = torch.zeros((), dtype=torch.float64)
    for example, label in enumerate(labels):
        rows = [one[example] for one in logits]
        last = last - functional.log_softmax(rows[-1], dim=0)[label] / len(labels)
        for place in range(len(rows) - 1):
            taught = divergence(rows[place], rows[-1] if teacher == "last" else rows[place + 1])
            supervised = -functional.log_softmax(rows[place], dim=0)[label]
            multi = multi + ((1 - gamma) * supervised + gamma * taught) / len(labels)
    return last, multi


def gradients(trial: Trial, loss: Tensor) -> dict[str, Tensor]:
    trial.model.zero_grad()
    if loss.requires_grad:
        loss.backward(retain_graph=True)
    return trial.gradients()


def by_hand(last: dict[str, Tensor], multi: dict[str, Tensor], project: str) -> dict[str, Tensor]:
    """The sum of both, one of them projected over the matrices of the layers that both reach."""
    found = {name: last.get(name, 0) + multi.get(name, 0) for name in last.keys() | multi.keys()}
    both = [name for name in last.keys() & multi.keys() if is_matrix(name)]
    if project == "none" or not both:
        return found
    yielding, firm = (multi, last) if project == "multi" else (last, multi)
    y, f = (torch.cat([side[name].flatten() for name in both]) for side in (yielding, firm))
    projected = y - min((y @ f / (f @ f)).item(), 0.0) * f
    pieces = (projected + f).split([last[name].numel() for name in both])
    return found | {name: piece.view_as(last[name]) for name, piece in zip(both, pieces, strict=True)}


def is_matrix(name: str) -> bool:
    return ".encoder.layer." in name and name.endswith(".weight") and "LayerNorm" not in name


@each_projection
@each_layout
@pytest.mark.parametrize(("teacher", "gamma"), [("last", 0.9), ("last", 0.1), ("next", 0.2)])
def test_gradients_equal_a_projection_by_hand(
    project: str, layout: str, teacher: str, gamma: float, make_trial, make_batch
):
    trial = make_trial(case_of(layout, project=project, teacher=teacher, gamma=gamma))
    (micro,) = batch = make_batch()
    conflict(trial)
    found = trial.run.step(trial.context(batch))
    gotten = trial.gradients()
    last, multi = losses_by_hand(trial.model.each_exit(micro.inputs), micro.labels, teacher, gamma)
    wanted = by_hand(gradients(trial, last), gradients(trial, multi), project)
    assert torch.allclose(found, (last + multi).detach(), rtol=1e-12)
    assert trial.updates == [found.item()]
    assert gotten.keys() == wanted.keys()
    for name, value in gotten.items():
        assert torch.allclose(value, wanted[name], rtol=1e-9, atol=1e-14), name


def conflict(trial: Trial) -> None:
    """The exits below deny what the last one says: what helps one against the labels harms the others."""
    with torch.no_grad():
        *others, last = (head.classifier.weight.mul_(10) for head in trial.model.heads)
        for weight in others:
            weight.copy_(-last)


def test_the_projection_changes_something(make_trial, make_batch):
    """The tests above would pass without one if no gradients ever disagreed."""
    steps = {}
    for project in PROJECTIONS:
        trial = make_trial(case_of("shared pooler", project=project, gamma=0.1))
        conflict(trial)
        trial.run.step(trial.context(make_batch()))
        steps[project] = trial.gradients()
    plain, projected = steps["none"], steps["multi"]
    changed = {name for name in plain if not torch.allclose(plain[name], projected[name], rtol=1e-3, atol=1e-12)}
    assert changed == {name for name in plain if is_matrix(name) and ".layer.2." not in name}
    assert any(not torch.allclose(steps["multi"][name], steps["last"][name]) for name in changed)


vectors = arrays.arrays(np.float64, 6, elements=st.floats(-3, 3, width=32))


@given(vectors, vectors)
def test_what_gives_way_does_not_work_against_what_stays(y: Any, f: Any):
    y, f = torch.from_numpy(y), torch.from_numpy(f)
    (one, two, three) = united([y[:2], y[2:], None], [f[:2], f[2:], f])
    assert three is f
    left = torch.cat((one, two)) - f
    assert left.isfinite().all()
    assert (left @ f).item() >= -1e-9
    if (y @ f).item() >= 0:
        assert torch.allclose(left, y, atol=1e-12)
    elif (f @ f).item() > 1e-12:
        assert abs((left @ f).item()) < 1e-9
        assert left.norm() <= y.norm() + 1e-9


@each_projection
def test_micro_batches_are_projected_together(project: str, make_trial, make_batch):
    pieces = make_batch((5, 7, 4))
    parts, total = make_trial(case_of("pooled", project=project, gamma=0.1)), [{}, {}]
    conflict(parts)
    loss = parts.run.step(parts.context(pieces))
    gotten = parts.gradients()
    for micro in pieces:
        losses = losses_by_hand(parts.model.each_exit(micro.inputs), micro.labels, gamma=0.1)
        for side, one in zip(total, losses, strict=True):
            for name, value in gradients(parts, micro.share * one).items():
                side[name] = side.get(name, 0) + value
        loss = loss - micro.share * sum(losses).detach()
    assert abs(loss.item()) < 1e-12
    wanted = by_hand(total[0], total[1], project)
    assert gotten.keys() == wanted.keys()
    for name, value in gotten.items():
        assert torch.allclose(value, wanted[name], rtol=1e-9, atol=1e-14), name


@each_projection
@each_layout
@pytest.mark.parametrize("freeze", [(), (Part.EMBEDDINGS,)], ids=["all", "frozen embeddings"])
def test_declared_passes_equal_the_counter(project: str, layout: str, freeze: Any, make_trial, make_batch):
    trial, batch = make_trial(case_of(layout, project=project), freeze=freeze), make_batch((5, 9))
    with FlopCounterMode(display=False) as counter:
        trial.run.step(trial.context(batch))
    passes, shapes = trial.run.passes(1, 0), [tuple(micro.inputs.input_ids.shape) for micro in batch]
    wanted = sum(training_flops(trial.model.costs(*shape), passes, frozen=freeze) for shape in shapes)
    # Distillation is an einsum, forward and back to the students: work that no account of passes counts.
    square = 2 * trial.model.num_exits**2 * trial.model.num_labels * sum(len(micro.labels) for micro in batch)
    assert counter.get_total_flops() - 2 * square == wanted > 0


@each_projection
def test_bfloat16_autocast(project: str, make_trial, make_batch):
    trial = make_trial(case_of("pooled", project=project))
    trial.model.float()
    context = trial.context(make_batch())
    context = dataclasses.replace(context, precision=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    loss = trial.run.step(context)
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert all(value.isfinite().all() for value in trial.gradients().values())


def test_a_gradient_that_overflowed_is_not_hidden(make_trial, make_batch):
    trial = make_trial(case_of("pooled"))
    with torch.no_grad():
        trial.model.heads[0].classifier.weight[0, 0] = torch.nan
    assert not trial.run.step(trial.context(make_batch())).isfinite()


@pytest.mark.parametrize(
    "fields",
    [{"gamma": 1.1}, {"gamma": -0.1}, {"temperature": 0}, {"temperature": float("inf")}, {"project": "both"},
     {"reduction": "sum"}, {"teacher": "all"}],
)  # fmt: skip
def test_fields_are_validated(fields: dict[str, Any]):
    assert TypeAdapter(RomeBert).validate_python({"project": "last", "gamma": 0.5}).project == "last"
    with pytest.raises((ValidationError, TypeError)):
        TypeAdapter(RomeBert).validate_python(fields)


def test_regression_is_refused():
    with pytest.raises(InputError, match="romebert: it compares"):
        RomeBert().begin(TrialShape((1, 2), 2, 1, 1))


@each_projection
def test_a_step_needs_a_batch(project: str, make_trial):
    trial = make_trial(case_of("pooled", project=project))
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))


def test_the_protocol(make_trial):
    run = make_trial(case_of("pooled")).run
    assert run.stage(1) == run.stage(4)
    assert run.trained_exits(1) == (1, 2, 3)
    run.load_state_dict(run.state_dict())
    (only,) = run.passes(1, 0)
    assert (only.exits, only.backward) == ((1, 2, 3), ((3,), (1, 2)))
    assert make_trial(case_of("one exit")).run.passes(1, 0)[0].backward == ((1,),)
    assert make_trial(case_of("pooled", project="none")).run.passes(1, 0)[0].backward == ((1, 2, 3),)


def test_a_share_of_the_batch_scales_both_losses(make_trial, make_batch):
    (micro,) = make_batch()
    whole, half = make_trial(case_of("pooled")), make_trial(case_of("pooled"))
    whole.run.step(whole.context([micro]))
    half.run.step(half.context([MicroBatch(micro.inputs, micro.labels, share=0.5)]))
    for name, value in half.gradients().items():
        assert torch.allclose(2 * value, whole.gradients()[name], rtol=1e-9, atol=1e-14), name
