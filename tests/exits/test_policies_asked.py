"""Policies that look at one exit alone: entropy, what was learned, the oracle; their ends and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.exits import POLICIES
from greenexp.exits.policies.base import ExitOutput, Policy
from greenexp.exits.policies.entropy import Entropy
from greenexp.exits.policies.learned import Learned
from greenexp.exits.policies.max_probability import MaxProbability
from greenexp.exits.policies.oracle import Oracle
from greenexp.exits.policies.softmax import entropy


def leaving(policy: Policy, logits: torch.Tensor, number: int = 1) -> list[bool]:
    return policy.stream().decide(ExitOutput(number, logits)).leaves.tolist()


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), min_size=1, max_size=9))
def test_entropy_is_that_of_softmax(rows: list[list[float]]):
    logits = torch.tensor(rows)
    logs = logits.double().log_softmax(-1)
    assert torch.allclose(entropy(logits).double(), -(logs.exp() * logs).sum(-1), atol=1e-7)
    assert torch.allclose(entropy(logits, True).double() * math.log(3), entropy(logits).double(), atol=1e-7)
    assert (entropy(logits) >= 0).all()


def test_entropy_at_its_ends():
    """Saturated, underflowing, equal, barely different, and a difference beyond the range of float32."""
    logits = torch.tensor([[1e4, -1e4], [89.0, -89.0], [3.0, 3.0], [0.0, 1e-38], [3e38, -3e38], [-200.0, 0.0]])
    found = entropy(logits)
    assert found.tolist() == [0.0, 0.0, np.float32(math.log(2)), np.float32(math.log(2)), 0.0, 0.0]
    assert entropy(torch.zeros(1, 5), normalised=True).tolist() == [1.0]
    assert entropy(torch.tensor([[40.0, 0.0]])).item() == pytest.approx(41 * math.exp(-40), rel=1e-6)


def test_the_comparator_of_entropy():
    value = float(entropy(torch.tensor([[0.0, 1.0]])).item())
    logits = torch.tensor([[0.0, 1.0]])
    assert leaving(Entropy(value), logits) == [False]
    assert leaving(Entropy(value, comparator="<="), logits) == [True]
    assert leaving(Entropy(float(np.nextafter(np.float32(value), np.float32(9)))), logits) == [True]
    saturated = torch.tensor([[1e4, 0.0]])
    assert [leaving(Entropy(limit), saturated) for limit in (0.0, -1.0, 1e-45)] == [[False], [False], [True]]
    assert leaving(MaxProbability(0.5, comparator=">"), torch.zeros(1, 2)) == [False]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_sure(bad: float):
    logits = torch.tensor([[bad, 0.0], [0.0, bad], [bad, bad]])
    assert leaving(Entropy(math.inf), logits) == [False] * 3
    assert leaving(Entropy(math.inf, comparator="<="), logits) == [False] * 3


@pytest.mark.parametrize("policy", [Entropy({2: 9.0}), MaxProbability({2: 0.0})])
def test_an_exit_without_a_threshold_lets_nobody_leave(policy: Policy):
    logits = torch.tensor([[1.0, 0.0]])
    assert [leaving(policy, logits, number) for number in (1, 2, 3)] == [[False], [True], [False]]


def test_a_threshold_beyond_float32_is_an_infinity():
    assert leaving(MaxProbability(1e300), torch.tensor([[1e4, 0.0]])) == [False]
    assert leaving(Entropy(1e300), torch.zeros(1, 2)) == [True]


def test_learned_leaves_below_the_threshold():
    said = torch.tensor([0.29, 0.3, math.nan, -0.1, 1.5, 0.0])
    for columns in (1, 2):
        output = ExitOutput(1, torch.zeros(6, columns), said)
        assert Learned(0.3).stream().decide(output).leaves.tolist() == [True, False, False, False, False, True]
        assert Learned(0.3, "<=").stream().decide(output).leaves.tolist() == [True, True, False, False, False, True]
    with pytest.raises(InputError, match="has none"):
        leaving(Learned(), torch.zeros(1, 2))


def test_the_oracle_needs_labels_and_classes():
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    decision = Oracle().stream().decide(ExitOutput(1, logits, None, torch.tensor([0, 1])))
    assert decision.leaves.tolist() == [True, False]
    with pytest.raises(InputError, match="needs the labels"):
        leaving(Oracle(), logits)
    with pytest.raises(InputError, match="needs classes"):
        Oracle().stream().decide(ExitOutput(1, torch.zeros(2, 1), None, torch.zeros(2)))
    with pytest.raises(InputError, match="replayed"):
        Oracle("first").stream()


def test_every_policy_says_what_it_is():
    """The first line is what `greenexp ls policies` prints."""
    for name in POLICIES:
        first = (POLICIES[name].__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert ("reconstruction" in first) == (name == "voting")
        assert ("bound" in first) == (name == "oracle")
