"""Distillation-based training: loss and temperature against the official code's, and the run around them."""

from __future__ import annotations

import math

import pytest
import torch
from method_cases import Case
from pydantic import TypeAdapter, ValidationError
from test_methods import together
from torch.nn import functional

from greenexp.errors import InputError
from greenexp.methods import METHODS
from greenexp.methods.base import TrialShape
from greenexp.methods.dbt import Dbt

CASE = Case({"name": "dbt", "confidence": 0.50001, "annealing": 1.5}, (1, 1, 1))


@pytest.fixture
def official(reference):
    inputs = reference("exit_logits")["classes"]["3"]
    logits = torch.tensor(inputs["logits"], dtype=torch.float64)
    return reference("distillation")["phuong"], logits, torch.tensor(inputs["labels"])


def run_of(method: Dbt, exits: int, num_labels: int):
    return method.begin(TrialShape(tuple(range(1, exits + 1)), exits, num_labels, epochs=1))


def test_the_official_loss_at_a_constant_temperature(official):
    values, logits, labels = official
    constant = values["constant"]
    method = Dbt(distillation=constant["distillation"], temperature=constant["temperature"], annealing=1)
    loss = run_of(method, len(logits), logits.shape[-1]).loss(logits, labels, 1)
    assert loss.item() == pytest.approx(constant["loss"], rel=1e-6)


def test_the_official_losses_and_temperatures_call_after_call(official):
    values, logits, labels = official
    annealed = values["annealed"]
    method = Dbt(**{name: annealed[name] for name in ("distillation", "temperature", "annealing", "confidence")})
    run = run_of(method, len(logits), logits.shape[-1])
    found = []
    for _ in annealed["loss_and_temperature"]:
        loss = run.loss(logits, labels, 1).item()
        run.anneal(run.teacher_confidence(logits))
        found.append([loss, run.temperature.item()])
    assert found == [pytest.approx(pair, rel=1e-6) for pair in annealed["loss_and_temperature"]]


def test_gradients_equal_a_hand_written_sum(make_trial, make_batch):
    trial = make_trial(Case({"name": "dbt", "distillation": 0.3, "temperature": 2.5, "scale": 0.7}, (1, 1, 1)))
    (micro,) = batch = make_batch()
    found = trial.run.step(trial.context(batch))
    gradients = trial.gradients()
    trial.model.zero_grad()
    logits = trial.model(micro.inputs)
    examples = len(micro.labels)
    expected = torch.zeros((), dtype=torch.float64)
    for number, exit_logits in enumerate(logits):
        for row, last, label in zip(exit_logits, logits[-1].detach(), micro.labels, strict=True):
            expected = expected - 0.7 * 0.7 * functional.log_softmax(row, dim=0)[label] / examples
            if number < 2:
                teacher = torch.softmax(last / 2.5, dim=0)
                soft = -(teacher * torch.log_softmax(row / 2.5, dim=0)).sum()
                expected = expected + 0.7 * 0.3 * 2.5**2 * soft / examples
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    assert gradients.keys() == trial.gradients().keys()
    for name, value in trial.gradients().items():
        assert torch.allclose(gradients[name], value, rtol=1e-9, atol=1e-14), name


def test_micro_batches_share_one_temperature_and_raise_it_once(make_trial, make_batch):
    pieces, parts, whole = make_batch((5, 7, 4)), make_trial(CASE), make_trial(CASE)
    for _ in range(3):
        assert torch.allclose(
            parts.run.step(parts.context(pieces)), whole.run.step(whole.context([together(pieces)])), rtol=1e-12
        )
    assert parts.run.temperature.item() == whole.run.temperature.item() == pytest.approx(1.5**3)
    for name, value in whole.gradients().items():
        assert torch.allclose(parts.gradients()[name], value, rtol=1e-9, atol=1e-13), name


def test_the_temperature_survives_a_pause(make_trial, make_batch):
    run, other = make_trial(CASE), make_trial(CASE)
    run.run.step(run.context(make_batch()))
    other.run.load_state_dict(run.run.state_dict())
    assert other.run.temperature.item() == 1.5
    assert torch.equal(other.run.step(other.context(make_batch())), run.run.step(run.context(make_batch())))
    with pytest.raises(ValueError, match="omega"):
        other.run.load_state_dict({"omega": 1})


def test_with_two_classes_the_official_rule_would_never_stop():
    shape = TrialShape((1, 2, 3), 3, 2, epochs=1)
    with pytest.raises(InputError, match=r"never below 0\.5"):
        Dbt(confidence=0.5).begin(shape)
    Dbt(confidence=0.5, annealing=1).begin(shape)
    Dbt(confidence=0.5).begin(TrialShape((1, 2, 3), 3, 3, epochs=1))
    run = Dbt().begin(shape)
    logits = 8 * torch.randn(3, 64, 2, generator=torch.Generator().manual_seed(0))
    for _ in range(400):
        run.anneal(run.teacher_confidence(logits))
    settled = run.temperature.item()
    assert 1 < settled < 100
    assert run.teacher_confidence(logits).item() == pytest.approx(0.75, abs=0.01)


def test_regression_is_refused():
    with pytest.raises(InputError, match=r"dbt: .* regression"):
        Dbt().begin(TrialShape((1, 2), 2, 1, epochs=1))


def test_stages_and_passes(make_trial):
    run = make_trial(CASE).run
    assert run.stage(1) == run.stage(4)
    assert run.stage(1).exits == run.trained_exits(1) == (1, 2, 3)
    (only,) = run.passes(1, 0)
    assert (only.exits, only.backward) == ((1, 2, 3), ((1, 2, 3),))
    assert run.split(1) is None


@pytest.mark.parametrize(
    "fields", [{"distillation": 1.5}, {"temperature": 0}, {"annealing": 0.9}, {"confidence": math.inf}]
)
def test_fields_are_validated(fields: dict[str, object]):
    plugin = TypeAdapter(METHODS["dbt"])
    assert plugin.validate_python({}) == Dbt()
    with pytest.raises(ValidationError):
        plugin.validate_python(fields)


def test_a_step_needs_a_batch(make_trial):
    trial = make_trial(CASE)
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))
