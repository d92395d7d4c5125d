"""LeeBERT: both halves of its steps against autograd, and every way that is known to get it wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from method_cases import Case, Trial
from naive_leebert import Naive
from pydantic import TypeAdapter, ValidationError
from test_methods import together

from greenexp.errors import InputError
from greenexp.methods import METHODS
from greenexp.methods.base import MicroBatch, StepContext, TrialShape
from greenexp.methods.leebert import LeeBert
from greenexp.objectives import distillation_matrix, exit_losses

SCHEMES = ("uniform", "random", "slo", "blo", "clo-v1", "clo-v2")
RATE = 0.5  # of theta


def case_of(**fields: Any) -> Case:
    return Case({"name": "leebert", **fields}, (1, 1, 1))


def descend(trial: Trial) -> None:
    """Plain gradient descent on theta."""
    with torch.no_grad():
        for parameter in trial.model.parameters():
            if parameter.grad is not None:
                parameter -= RATE * parameter.grad
                parameter.grad = None


def context_of(trial: Trial, step: int, first: list[MicroBatch], second: list[MicroBatch]) -> StepContext:
    return dataclasses.replace(trial.context(first, step=step), second=second, update=lambda _: descend(trial))


@pytest.fixture
def batches(make_batch):
    """Pairs of different batches, two micro-batches in B1, three in B2, of unequal sizes."""
    pieces = [make_batch((5, 7)), make_batch((6, 4, 8))]
    for offset, batch in enumerate(pieces):
        for index, micro in enumerate(batch):
            ids = micro.inputs.input_ids
            shifted = torch.where(micro.inputs.attention_mask > 0, (ids + 3 * offset + index) % 26 + 4, 0)
            batch[index] = dataclasses.replace(micro, inputs=dataclasses.replace(micro.inputs, input_ids=shifted))
    return pieces


def assert_same(trial: Trial, naive: Naive) -> None:
    for (name, mine), theirs in zip(trial.model.named_parameters(), naive.model.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12), name
    assert torch.allclose(trial.run.weights.values, naive.weights(), rtol=1e-9, atol=1e-12)


def both(make_trial, steps: int, batches, **fields: Any) -> tuple[Trial, Naive]:
    """A run of ours and the same by the book, side by side."""
    trial, twin = make_trial(case_of(**fields)), make_trial(case_of(**fields))
    start = trial.run.state_dict()["weights.free"]
    renamed = {"weights": "scheme", "temperature": "tau", "parametrisation": "kind", "weight_learning_rate": "rate"}
    naive = Naive(twin.model, start, **{renamed.get(name, name): value for name, value in fields.items()})
    if fields["weights"] in ("uniform", "random"):
        naive.kind = "raw"
    naive.theta_rate = RATE
    for step in range(steps):
        loss = trial.run.step(context_of(trial, step, *batches))
        assert loss.item() == pytest.approx(naive.step(step, *batches), rel=1e-9)
        assert_same(trial, naive)
    return trial, naive


@pytest.mark.parametrize("teachers", ["last", "later", "all"])
@pytest.mark.parametrize("weights", SCHEMES)
def test_theta_and_omega_follow_autograd(weights: str, teachers: str, make_trial, batches):
    trial, _ = both(
        make_trial, 2, batches, weights=weights, teachers=teachers, cycle=2, temperature=1.5, weight_learning_rate=0.05
    )
    values = trial.run.weights.values
    assert torch.allclose(values, torch.ones_like(values), atol=1e-3) == (weights == "uniform")


@pytest.mark.parametrize(
    "fields",
    [
        {"form": "kl"},
        {"parametrisation": "softplus"},
        {"weight_steps": "two"},
        {"reading": "text", "weights": "clo-v2"},
        {"cycle": 1, "weights": "clo-v2"},
    ],
    ids=" ".join,
)
def test_every_option_follows_autograd(fields: dict[str, Any], make_trial, batches):
    both(make_trial, 2, batches, **({"weights": "clo-v1", "cycle": 2, "weight_learning_rate": 0.05} | fields))


def test_raw_weights_follow_autograd(make_trial, batches):
    with pytest.warns(RuntimeWarning, match="diverges"):
        both(make_trial, 2, batches, weights="clo-v1", parametrisation="raw", weight_learning_rate=0.05)


class TestWhatWouldMakeItWrong:
    """One test per item of that list in the notes, named after it."""

    def test_omega_gradient_at_the_old_theta_in_clo_v1(self, make_trial, batches, monkeypatch):
        trial = make_trial(case_of(weights="clo-v1"))
        before = trial.run.terms.of(trial.model(together(batches[0]).inputs), together(batches[0]).labels).detach()
        seen = watch_omega(trial, monkeypatch)
        trial.run.step(context_of(trial, 0, *batches))
        with torch.no_grad():
            now = [trial.run.terms.of(trial.model(whole.inputs), whole.labels) for whole in map(together, batches)]
        for found, expected in zip(seen[0], now, strict=True):
            assert torch.allclose(found, expected, rtol=1e-9)
        assert not torch.allclose(seen[0][0], before, rtol=1e-3)

    def test_reusing_b1_as_b2(self, make_trial, batches, monkeypatch):
        trial = make_trial(case_of(weights="clo-v1"))
        seen = watch_omega(trial, monkeypatch)
        trial.run.step(context_of(trial, 0, *batches))
        first, second = seen[0]
        assert not torch.allclose(first, second, rtol=1e-3)
        with pytest.raises(ValueError, match="batch"):
            trial.run.step(context_of(trial, 1, batches[0], []))

    def test_omega_in_the_models_optimiser(self, make_trial, batches):
        trial = make_trial(case_of(weights="clo-v1"))
        ours = {id(trial.run.weights._free)}
        assert not ours & {id(parameter) for parameter in trial.model.parameters()}
        trial.run.step(context_of(trial, 0, *batches))
        assert not ours & {id(parameter) for parameter in trial.model.parameters()}

    def test_omega_under_weight_decay_or_clipping_or_a_loss_scale(self, make_trial, batches):
        """What the trainer does to theta's gradients does not reach omega's."""
        scaled, plain = (make_trial(case_of(weights="slo", weight_learning_rate=0.1)) for _ in range(2))
        for trial, factor in ((scaled, 1e-6), (plain, 1.0)):
            with torch.no_grad():
                kept = [parameter.clone() for parameter in trial.model.parameters()]

            def update(_, trial=trial, factor=factor) -> None:
                for parameter in trial.model.parameters():
                    if parameter.grad is not None:
                        parameter.grad.mul_(factor)

            context = dataclasses.replace(context_of(trial, 0, *batches), update=update)
            trial.run.step(context)
            trial.model.zero_grad()
            assert all(torch.equal(a, b) for a, b in zip(kept, trial.model.parameters(), strict=True))
        assert torch.equal(scaled.run.weights.values, plain.run.weights.values)
        assert trial.run.weights._adam.param_groups[0]["weight_decay"] == 0

    def test_not_detaching_the_teacher(self, make_trial):
        run = make_trial(case_of(weights="uniform", teachers="last")).run
        logits = torch.randn(3, 4, 2, dtype=torch.float64).requires_grad_()
        run.terms.of(logits, torch.tensor([0, 1, 0, 1]))[3:].sum().backward()
        assert logits.grad is not None
        assert logits.grad[2].eq(0).all()
        assert logits.grad[:2].ne(0).all()

    def test_missing_tau_squared(self, make_trial):
        logits, labels = torch.randn(3, 4, 2, dtype=torch.float64), torch.tensor([0, 1, 0, 1])
        for tau in (1.0, 3.0):
            terms = make_trial(case_of(temperature=tau)).run.terms.of(logits, labels)[3:]
            soft = torch.log_softmax(logits / tau, -1)
            expected = -(tau**2) * (soft[1].exp() * soft[0]).sum(-1).mean() / (3 * 2)
            assert terms[0].item() == pytest.approx(expected.item(), rel=1e-12)

    def test_dividing_by_no_teachers_in_lle(self, make_trial):
        for teachers, pairs in (("later", 3), ("last", 2)):
            run = make_trial(case_of(teachers=teachers)).run
            assert len(run.terms.pairs) == pairs
            assert 3 not in {student for student, _ in run.terms.pairs}
            logits = torch.randn(3, 4, 2, dtype=torch.float64).requires_grad_()
            loss = run.loss(logits, torch.tensor([0, 1, 0, 1]), 1)
            loss.backward()
            assert loss.isfinite()
            assert logits.grad is not None
            assert logits.grad.isfinite().all()

    def test_m_instead_of_the_number_of_exits(self, make_trial):
        logits, labels = torch.randn(3, 4, 2, dtype=torch.float64), torch.tensor([0, 1, 0, 1])
        run = make_trial(case_of(teachers="later")).run
        matrix = distillation_matrix(logits, 1.0)
        expected = torch.stack([matrix[0, 1] / (3 * 2), matrix[0, 2] / (3 * 2), matrix[1, 2] / (3 * 1)])
        assert torch.allclose(run.terms.of(logits, labels)[3:], expected, rtol=1e-12)

    def test_kl_instead_of_ce_silently(self, make_trial):
        logits, labels = torch.randn(3, 4, 2, dtype=torch.float64), torch.tensor([0, 1, 0, 1])
        ce, kl, default = (
            make_trial(case_of(**fields)).run.terms.of(logits, labels)
            for fields in ({"form": "ce"}, {"form": "kl"}, {})
        )
        assert torch.equal(default, ce)
        assert (ce[3:] - kl[3:] > 1e-3).all()
        assert torch.equal(ce[:3], kl[:3])

    def test_backpropagating_through_the_encoder_for_omega(self, make_trial, batches, monkeypatch):
        """Exactly one backward pass per micro-batch of B1, and nothing that omega looks at carries a graph."""
        trial = make_trial(case_of(weights="clo-v1"))
        calls = []
        backward = torch.Tensor.backward
        monkeypatch.setattr(torch.Tensor, "backward", lambda *given: (calls.append(1), backward(*given))[1])
        seen = watch_omega(trial, monkeypatch)
        trial.run.step(context_of(trial, 0, *batches))
        assert len(calls) == len(batches[0])
        assert all(not one.requires_grad for one in seen[0])
        assert not trial.gradients()

    def test_theta_loss_with_a_live_omega_graph(self, make_trial, make_batch):
        trial = make_trial(case_of(weights="slo", parametrisation="softplus"))
        (micro,) = make_batch()
        loss = trial.run.loss(trial.model(micro.inputs), micro.labels, 1)
        loss.backward()
        assert trial.run.weights._free.grad is None
        assert not trial.run.weights.values.requires_grad

    def test_mean_of_batch_means_with_an_unequal_last_batch(self, make_trial, batches, monkeypatch):
        trial = make_trial(case_of(weights="clo-v1"))
        seen = watch_omega(trial, monkeypatch)
        trial.run.step(context_of(trial, 0, *batches))
        sizes = [len(micro.labels) for micro in batches[1]]
        assert len(set(sizes)) > 1
        with torch.no_grad():
            each = [exit_losses(trial.model(micro.inputs), micro.labels) for micro in batches[1]]
        weighed = sum(size * one for size, one in zip(sizes, each, strict=True)) / sum(sizes)
        assert torch.allclose(seen[0][1][:3], weighed, rtol=1e-9)
        assert not torch.allclose(weighed, torch.stack(each).mean(0), rtol=1e-4)


@pytest.mark.parametrize("look_dropout", [True, False])
def test_dropout_where_omega_is_measured(look_dropout: bool, make_trial, batches, monkeypatch):
    case = case_of(weights="clo-v1", look_dropout=look_dropout)
    trial = make_trial(dataclasses.replace(case, head={"name": "linear", "dropout": 0.5}))
    trial.model.train()
    seen = watch_omega(trial, monkeypatch)
    torch.manual_seed(0)
    trial.run.step(context_of(trial, 0, *batches))
    assert all(module.training for module in trial.model.modules())
    trial.model.eval()
    with torch.no_grad():
        without = [trial.run.terms.of(trial.model(whole.inputs), whole.labels) for whole in map(together, batches)]
    same = [torch.allclose(found, expected, rtol=1e-9) for found, expected in zip(seen[0], without, strict=True)]
    assert same == [not look_dropout] * 2


def watch_omega(trial: Trial, monkeypatch) -> list[list[torch.Tensor]]:
    """What omega's steps are given, call by call."""
    seen: list[list[torch.Tensor]] = []
    step = trial.run.weights.step

    def watched(number, measured):
        seen.append([one.clone() for one in measured.values()])
        step(number, measured)

    monkeypatch.setattr(trial.run.weights, "step", watched)
    return seen


def test_micro_batches_add_up_to_both_batches(make_trial, batches):
    parts, whole = (make_trial(case_of(weights="clo-v1", weight_learning_rate=0.1)) for _ in range(2))
    whole_batches = [[together(batch)] for batch in batches]
    for step in range(2):
        losses = [
            trial.run.step(context_of(trial, step, *pair)) for trial, pair in ((parts, batches), (whole, whole_batches))
        ]
        assert torch.allclose(*losses, rtol=1e-10)
    assert torch.allclose(parts.run.weights.values, whole.run.weights.values, rtol=1e-8)


def test_fastbert_clo_v2_and_lle_are_configurations(make_trial):
    fastbert = make_trial(case_of(teachers="last", weights="clo-v2")).run
    assert fastbert.terms.pairs == ((1, 3), (2, 3))
    lle = make_trial(case_of(teachers="later")).run
    assert lle.terms.pairs == ((1, 2), (1, 3), (2, 3))
    lae = make_trial(case_of()).run
    assert lae.terms.pairs == ((1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2))


@pytest.mark.parametrize("weights", SCHEMES)
def test_who_splits_the_training_set(weights: str, make_trial):
    run = make_trial(case_of(weights=weights, share=0.7)).run
    assert run.split(1) == (0.7 if weights in ("blo", "clo-v1", "clo-v2") else None)


def test_random_weights_come_from_the_trials_seed():
    draws = [
        LeeBert(weights="random").begin(TrialShape((1, 2, 3), 3, 2, 1, seed=seed)).weights.values for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("weights", SCHEMES)
def test_omega_survives_a_pause(weights: str, make_trial, batches):
    fields = {"weights": weights, "cycle": 2, "weight_learning_rate": 0.1}
    whole, first, second = (make_trial(case_of(**fields)) for _ in range(3))
    for step in range(4):
        whole.run.step(context_of(whole, step, *batches))
    for step in range(2):
        first.run.step(context_of(first, step, *batches))
    state = {name: value.clone() for name, value in first.run.state_dict().items()}
    second.model.load_state_dict(first.model.state_dict())
    second.run.load_state_dict(state)
    for step in range(2, 4):
        second.run.step(context_of(second, step, *batches))
    assert torch.equal(second.run.weights.values, whole.run.weights.values)
    with pytest.raises(ValueError, match="omega"):
        second.run.load_state_dict({"omega": 1})


def test_bfloat16_autocast(make_trial, batches):
    trial = make_trial(case_of(weights="clo-v1"))
    trial.model.float()
    context = dataclasses.replace(
        context_of(trial, 0, *batches), precision=lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    )
    loss = trial.run.step(context)
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert trial.run.weights.values.isfinite().all()


def test_regression_is_refused():
    with pytest.raises(InputError, match=r"leebert: .* regression"):
        LeeBert().begin(TrialShape((1, 2), 2, 1, epochs=1))


@pytest.mark.parametrize(
    "fields",
    [{"teachers": "first"}, {"weights": "clo"}, {"cycle": 0}, {"temperature": 0}, {"share": 1.0}, {"form": "KL"}],
)
def test_fields_are_validated(fields: dict[str, object]):
    plugin = TypeAdapter(METHODS["leebert"])
    assert plugin.validate_python({"teachers": "all", "weights": "clo-v2", "cycle": 4}) == LeeBert()
    with pytest.raises(ValidationError):
        plugin.validate_python(fields)


def test_a_step_needs_a_batch(make_trial):
    trial = make_trial(case_of())
    with pytest.raises(ValueError, match="without a batch"):
        trial.run.step(trial.context([]))
