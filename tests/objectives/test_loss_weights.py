"""Loss weights: parametrisations against autograd, the schemes as a table, what a step takes and keeps."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.objectives import Look, LossWeights, MutualTerms, Scheme
from greenexp.objectives.parametrisation import pulled_back, start, weights_of

KINDS = ("raw", "softplus", "softmax")
SCHEMES = ("uniform", "random", "slo", "blo", "clo-v1", "clo-v2")
TERMS = MutualTerms(3, "all")


def make(scheme: str = "slo", **options) -> LossWeights:
    return LossWeights.of(TERMS, scheme, rng=np.random.default_rng(0), **options)


def losses(seed: int, size: int = 9) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.1, 2, size))


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_the_jacobian_equals_autograd(kind: str, seed: int):
    rng = np.random.default_rng(seed)
    free, groups = torch.from_numpy(rng.normal(0, 2, 7)).requires_grad_(), (slice(0, 3), slice(3, 7))
    gradient = torch.from_numpy(rng.normal(size=7))
    (weights_of(kind, free, groups) * gradient).sum().backward()
    assert free.grad is not None
    found = pulled_back(kind, free.detach(), groups, gradient)
    assert torch.allclose(found, free.grad, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_all_weights_start_at_one(kind: str):
    assert torch.allclose(weights_of(kind, start(kind, 9), (slice(0, 3), slice(3, 9))), torch.ones(9).double())


@pytest.mark.filterwarnings("ignore:loss weights")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_start_is_uniform_but_for_random(scheme: str, kind: str):
    values = make(scheme, parametrisation=kind).values
    assert torch.allclose(values, torch.ones(9).double()) == (scheme != "random")


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_softmax_keeps_each_groups_mass(seed: int):
    weights = make(learning_rate=0.3)
    for number in range(30):
        weights.step(number, {Look.FIRST_BEFORE: losses(seed + number)})
    assert weights.values[:3].sum().item() == pytest.approx(3)
    assert weights.values[3:].sum().item() == pytest.approx(6)
    assert (weights.values > 0).all()


def test_mass_flows_to_the_smallest_loss_of_its_group():
    weights = make(learning_rate=0.01)
    fixed = torch.tensor([0.9, 0.5, 0.1, 0.3, 0.2, 0.4, 0.5, 0.1, 0.6])
    for number in range(200):
        weights.step(number, {Look.FIRST_BEFORE: fixed})
    assert weights.values[:3].argmax() == fixed[:3].argmin()
    assert weights.values[3:].argmax() == fixed[3:].argmin()


def test_raw_weights_diverge_and_say_so():
    rate = 0.02
    with pytest.warns(RuntimeWarning, match="after about 50"):
        weights = make(parametrisation="raw", learning_rate=rate)
    crossed = None
    for number in range(200):
        weights.step(number, {Look.FIRST_BEFORE: losses(number)})
        if crossed is None and (weights.values < 0).all():
            crossed = number + 1
    assert crossed is not None
    assert 50 <= crossed <= 60
    assert (weights.values < -2).all()
    assert weights.total(losses(0)) < 0


def test_softplus_weights_only_shrink_and_stay_positive():
    weights = make(parametrisation="softplus", learning_rate=0.1)
    last = weights.values
    for number in range(100):
        weights.step(number, {Look.FIRST_BEFORE: losses(number)})
        assert (weights.values < last).all()
        last = weights.values
    assert (last > 0).all()


@pytest.mark.parametrize("scheme", ["uniform", "random"])
def test_weights_that_do_not_learn_need_no_warning(scheme: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = make(scheme, parametrisation="raw")
    before = weights.values
    weights.step(0, {})
    assert torch.equal(weights.values, before)


@pytest.mark.parametrize(
    ("scheme", "looks"),
    [
        (Scheme("uniform"), [(), (), (), ()]),
        (Scheme("random"), [(), (), (), ()]),
        (Scheme("slo"), [(Look.FIRST_BEFORE,)] * 4),
        (Scheme("blo"), [(Look.SECOND_AFTER,)] * 4),
        (Scheme("clo-v1"), [(Look.FIRST_AFTER, Look.SECOND_AFTER)] * 4),
        (Scheme("clo-v2", 2), [(Look.FIRST_BEFORE,), (Look.FIRST_AFTER, Look.SECOND_AFTER)] * 2),
        (Scheme("clo-v2", 4, "text"), [(), (), (), (Look.FIRST_AFTER, Look.SECOND_AFTER)]),
    ],
    ids=lambda value: "-".join(map(str, (value.name, value.reading))) if isinstance(value, Scheme) else "",
)
def test_what_each_scheme_looks_at(scheme: Scheme, looks: list[tuple[Look, ...]]):
    assert [scheme.looks(step) for step in range(4)] == looks
    assert [scheme.looks(step + 4) for step in range(4)] == looks
    assert scheme.learns == any(looks)
    assert scheme.splits == any(Look.SECOND_AFTER in one for one in looks)


def test_a_step_refuses_other_measurements():
    weights = make("clo-v1")
    with pytest.raises(ValueError, match="clo-v1, step 0"):
        weights.step(0, {Look.FIRST_BEFORE: losses(0), Look.SECOND_AFTER: losses(1)})
    with pytest.raises(ValueError, match="expected"):
        weights.step(0, {})


def test_the_factors_weigh_the_two_gradients():
    both, first = make("clo-v1", factors=(1.0, 0.0)), make("slo")
    both.step(0, {Look.FIRST_AFTER: losses(0), Look.SECOND_AFTER: losses(1)})
    first.step(0, {Look.FIRST_BEFORE: losses(0)})
    assert torch.equal(both.values, first.values)


def test_two_adam_steps_are_not_one():
    one, two = make("clo-v1"), make("clo-v1", steps="two")
    for weights in (one, two):
        weights.step(0, {Look.FIRST_AFTER: losses(0), Look.SECOND_AFTER: losses(1)})
    assert not torch.allclose(one.values, two.values, rtol=1e-6)
    assert (one.state_dict()["step"].item(), two.state_dict()["step"].item()) == (1, 2)


@given(st.integers(1, 6), st.sampled_from(["last", "later", "all"]), st.integers(0, 2**32 - 1))
def test_random_weights_sum_to_one_per_exit(exits: int, teachers: str, seed: int):
    terms = MutualTerms(exits, teachers)
    values = LossWeights.of(terms, "random", rng=np.random.default_rng(seed)).values
    for student in range(exits):
        own = values[terms.students == student]
        assert own.sum().item() == pytest.approx(1)
        assert own.max() <= 50 * own.min() * (1 + 1e-12)


def test_random_weights_need_a_generator():
    with pytest.raises(ValueError, match="generator"):
        LossWeights.of(TERMS, "random")


def test_a_pause_changes_nothing():
    whole, first, second = make(), make(), make()
    for number in range(6):
        whole.step(number, {Look.FIRST_BEFORE: losses(number)})
    second.load_state_dict(make().state_dict())
    for number in range(3):
        first.step(number, {Look.FIRST_BEFORE: losses(number)})
    state = first.state_dict()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    second.load_state_dict(state)
    for number in range(3, 6):
        first.step(number, {Look.FIRST_BEFORE: losses(number)})  # may not reach into what was saved
        second.step(number, {Look.FIRST_BEFORE: losses(number)})
    assert torch.equal(second.values, whole.values)
    assert torch.equal(first.values, whole.values)


def test_a_strange_state_is_refused():
    weights = make()
    with pytest.raises(ValueError, match="unexpected"):
        weights.load_state_dict({"free": torch.zeros(9), "wings": torch.zeros(2)})
    with pytest.raises(ValueError, match="9 terms"):
        weights.load_state_dict({"free": torch.zeros(7)})


def test_terms_are_the_gradient_with_respect_to_the_weights():
    logits, labels = torch.randn(3, 5, 4, dtype=torch.float64).requires_grad_(), torch.tensor([0, 1, 2, 3, 0])
    terms = MutualTerms(3, "all", 2.0).of(logits, labels)
    omega = torch.rand(9, dtype=torch.float64).requires_grad_()
    (omega * terms).sum().backward()
    assert omega.grad is not None
    assert torch.allclose(omega.grad, terms.detach(), rtol=1e-14)


def test_one_exit_teaches_nobody():
    logits, labels = torch.randn(1, 5, 4), torch.tensor([0, 1, 2, 3, 0])
    for teachers in ("last", "later", "all"):
        terms = MutualTerms(1, teachers)
        assert terms.pairs == ()
        assert terms.of(logits, labels).shape == (1,)
        for scheme in SCHEMES:
            weights = LossWeights.of(terms, scheme, rng=np.random.default_rng(0))
            looks = weights.scheme.looks(3)
            weights.step(3, {look: losses(0, size=1) for look in looks})
            assert weights.values.tolist() == [1.0]


def test_the_constructor_draws_random_weights_too():
    rng = np.random.default_rng(0)
    built = LossWeights(TERMS, Scheme("random"), "softmax", 1e-3, rng=rng)
    assert torch.equal(built.values, make("random").values)
    with pytest.raises(ValueError, match="generator"):
        LossWeights(TERMS, Scheme("random"), "softmax", 1e-3)


@pytest.mark.parametrize(
    ("scheme", "options", "named"),
    [
        ("clov2", {}, "clo-v2"),
        ("CLO-v1", {}, "clo-v1"),
        ("clo-v2", {"reading": "paper"}, "algorithm, text"),
        ("clo-v2", {"cycle": 0}, "cycle"),
        ("slo", {"steps": "three"}, "steps"),
        ("slo", {"parametrisation": "exp"}, "raw, softplus or softmax"),
    ],
)
def test_options_are_never_guessed(scheme: str, options: dict, named: str):
    """A misspelt scheme would otherwise look nowhere, so that its weights stay at 1 and nobody notices."""
    with pytest.raises(ValueError, match=named):
        LossWeights.of(TERMS, scheme, **options)


@pytest.mark.parametrize("size", [1, 4, 8, 10])
def test_a_vector_of_other_terms_is_refused(size: int):
    """4 = 3 cross-entropies and 1: the softmax of the 6 distillation weights would take the one for all of them."""
    weights = make()
    with pytest.raises(ValueError, match="9 terms"):
        weights.step(0, {Look.FIRST_BEFORE: torch.ones(size)})
    with pytest.raises(ValueError, match="9 terms"):
        weights.total(torch.ones(size))
    assert torch.equal(weights.values, make().values)


@pytest.mark.parametrize("exits", [2, 4])
def test_terms_of_other_exits_are_refused(exits: int):
    with pytest.raises(ValueError, match="3 exits"):
        TERMS.of(torch.zeros(exits, 5, 2), torch.zeros(5, dtype=torch.long))
