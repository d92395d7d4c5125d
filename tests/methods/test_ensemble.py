"""Ensemble of internal classifiers: gradients, and that its unbounded objective does no harm."""

from __future__ import annotations

import pytest
import torch
from made_settings import made_settings
from method_cases import Case
from pydantic import TypeAdapter, ValidationError
from test_methods import together
from torch.nn import functional

from greenexp.errors import InputError
from greenexp.methods import METHODS
from greenexp.methods.base import TrialShape
from greenexp.methods.ensemble import Ensemble
from greenexp.objectives import exit_losses
from greenexp.plan.cautions import method_cautions

CASE = Case({"name": "ensemble", "diversity": 0.4}, (1, 1, 1))


def test_gradients_equal_a_hand_written_sum(make_trial, make_batch):
    trial = make_trial(CASE)
    (micro,) = batch = make_batch()
    found = trial.run.step(trial.context(batch))
    gradients = trial.gradients()
    trial.model.zero_grad()
    logits = trial.model(micro.inputs)
    expected = torch.zeros((), dtype=torch.float64)
    for example, label in enumerate(micro.labels):
        log_p = [functional.log_softmax(exit_logits[example], dim=0) for exit_logits in logits]
        for later in range(3):
            expected = expected - log_p[later][label] / len(micro.labels)
            earlier = [-(log_p[j].detach().exp() * log_p[later]).sum() for j in range(later)]
            if earlier:
                expected = expected - 0.4 * min(earlier) / len(micro.labels)
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    assert gradients.keys() == trial.gradients().keys()
    for name, value in trial.gradients().items():
        assert torch.allclose(gradients[name], value, rtol=1e-9, atol=1e-14), name


def test_micro_batches_add_up_to_the_batch(make_trial, make_batch):
    pieces, parts, whole = make_batch((5, 7, 4)), make_trial(CASE), make_trial(CASE)
    total = parts.run.step(parts.context(pieces))
    assert torch.allclose(total, whole.run.step(whole.context([together(pieces)])), rtol=1e-12)
    for name, value in whole.gradients().items():
        assert torch.allclose(parts.gradients()[name], value, rtol=1e-9, atol=1e-14), name


def test_without_diversity_it_is_the_plain_sum(make_batch):
    logits, labels = torch.randn(3, 5, 2), torch.tensor([0, 1, 0, 1, 1])
    run = Ensemble(diversity=0).begin(TrialShape((1, 2, 3), 3, 2, epochs=1))
    assert torch.allclose(run.loss(logits, labels, 1), exit_losses(logits, labels).sum())


@pytest.mark.parametrize("factor", [0.1, 0.9])
def test_a_long_descent_on_free_logits_neither_blows_up_nor_denies_labels(factor: float):
    """One logit vector per exit and example, labels at random: the worst case, nothing is shared."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 40, 3, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.randint(0, 3, (40,), generator=generator)
    run = Ensemble(diversity=factor).begin(TrialShape((1, 2, 3, 4), 4, 3, epochs=1))
    optimiser = torch.optim.SGD([logits], lr=20.0)
    for _ in range(600):
        optimiser.zero_grad()
        loss = run.loss(logits, labels, 1)
        loss.backward()
        assert logits.grad is not None
        assert logits.grad.abs().max() <= 1 / 40 + 1e-12  # every slope at most 1 per example
        optimiser.step()
    assert logits.isfinite().all()
    assert logits.argmax(dim=-1).eq(labels).all()
    assert logits.abs().max() < 10


@pytest.mark.parametrize("factor", [0.1, 0.9])
def test_with_noisy_labels_all_exits_rest_at_the_labels_frequencies(factor: float):
    generator = torch.Generator().manual_seed(0)
    logits = (2 * torch.randn(4, 1, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    labels = torch.tensor([0] * 7 + [1] * 2 + [2])
    run = Ensemble(diversity=factor).begin(TrialShape((1, 2, 3, 4), 4, 3, epochs=1))
    optimiser = torch.optim.SGD([logits], lr=2.0)
    for _ in range(500):
        optimiser.zero_grad()
        run.loss(logits.expand(4, 10, 3), labels, 1).backward()
        optimiser.step()
    for probabilities in torch.softmax(logits.detach(), dim=-1)[:, 0].tolist():
        assert probabilities == pytest.approx([0.7, 0.2, 0.1], abs=1e-3)


def test_the_label_is_always_pushed_up():
    generator = torch.Generator().manual_seed(1)
    logits = (4 * torch.randn(4, 200, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(0, 3, (200,), generator=generator)
    Ensemble(diversity=0.99).begin(TrialShape((1, 2, 3, 4), 4, 3, epochs=1)).loss(logits, labels, 1).backward()
    assert logits.grad is not None
    assert (logits.grad.gather(-1, labels.expand(4, 200)[..., None]) <= 1e-15).all()


def test_it_is_called_a_reconstruction_where_it_is_listed():
    assert "reconstruction" in (METHODS["ensemble"].__doc__ or "").splitlines()[0]
    assert {name for name in METHODS if METHODS[name].reconstruction} == {"elasticbert_pretraining", "ensemble"}


def test_regression_is_refused():
    with pytest.raises(InputError, match=r"ensemble: .* regression"):
        Ensemble().begin(TrialShape((1, 2), 2, 1, epochs=1))


def test_stages_and_passes(make_trial):
    run = make_trial(CASE).run
    assert run.stage(1) == run.stage(4)
    assert run.stage(1).exits == run.trained_exits(1) == (1, 2, 3)
    (only,) = run.passes(1, 0)
    assert (only.exits, only.backward) == ((1, 2, 3), ((1, 2, 3),))
    assert run.state_dict() == {}


@pytest.mark.parametrize("fields", [{"diversity": -0.1}, {"diversity": 1.0}])
def test_fields_are_validated(fields: dict[str, object]):
    plugin = TypeAdapter(METHODS["ensemble"])
    assert plugin.validate_python({}) == Ensemble()
    with pytest.raises(ValidationError):
        plugin.validate_python(fields)


def test_methods_say_what_must_be_known_before_they_are_compared():
    every = [
        made_settings(method={"name": name, **options})
        for name, options in (
            ("ensemble", {}),
            ("ensemble", {}),
            ("pabee", {}),
            ("leebert", {"parametrisation": "raw"}),
        )
    ]
    reconstructed, diverges = method_cautions(every)
    assert "Sun et al." in reconstructed
    assert "parametrisation raw" in diverges
    assert method_cautions(every[2:3]) == ()
