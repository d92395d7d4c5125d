"""Policies in stream form, decision by decision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitOutput, PolicyStream
from greenexp.exits.policies.max_probability import MaxProbability
from greenexp.exits.policies.softmax import max_probability
from greenexp.exits.policies.static import Static


def leaving(stream: PolicyStream, number: int, logits: torch.Tensor) -> torch.Tensor:
    return stream.decide(ExitOutput(number, logits)).leaves


def test_static_leaves_at_its_exit_and_after():
    logits = torch.zeros(3, 2)
    stream = Static(exit=2).stream()
    assert [leaving(stream, number, logits).tolist() for number in (1, 2, 3)] == [[False] * 3, [True] * 3, [True] * 3]
    assert not leaving(Static().stream(), 7, logits).any()


def test_the_comparator_is_at_least():
    logits = torch.tensor([[0.0, 0.0], [0.0, 1e-3]])
    assert leaving(MaxProbability(threshold=0.5).stream(), 1, logits).tolist() == [True, True]
    above = float(torch.tensor(0.5).nextafter(torch.tensor(1.0)))  # thresholds are rounded to float32
    assert leaving(MaxProbability(threshold=above).stream(), 1, logits.double()).tolist() == [False, True]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_confident(bad: float):
    logits = torch.tensor([[bad, 0.0], [0.0, bad], [bad, bad]])
    assert leaving(MaxProbability(threshold=0.0).stream(), 1, logits).tolist() == [False] * 3


def test_saturated_logits_are_confident():
    logits = torch.tensor([[1e4, -1e4], [3e38, 0.0], [-3e38, -3e38]])
    assert max_probability(logits).tolist() == [1.0, 1.0, 0.5]
    assert leaving(MaxProbability(threshold=1.0).stream(), 1, logits).tolist() == [True, True, False]


def test_thresholds_at_the_ends():
    logits = torch.tensor([[5.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert leaving(MaxProbability(threshold=0).stream(), 1, logits).all()
    assert not leaving(MaxProbability(threshold=1.0001).stream(), 1, torch.tensor([[9e9, 0.0]])).any()


def test_regression_has_no_confidence():
    with pytest.raises(InputError, match="two classes"):
        leaving(MaxProbability().stream(), 1, torch.zeros(2, 1))


@given(st.lists(st.lists(st.floats(-90, 90, width=32), min_size=3, max_size=3), min_size=1, max_size=9))
def test_it_is_the_largest_softmax_probability(rows: list[list[float]]):
    logits = torch.tensor(rows)
    assert torch.allclose(max_probability(logits), logits.double().softmax(-1).amax(-1).float(), atol=1e-6)


def test_keeping_rows_changes_no_decision():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.1], [0.0, 4.0]])
    stream = MaxProbability(threshold=0.7).stream()
    everybody = leaving(stream, 1, logits)
    stream.keep(torch.tensor([0, 2]))
    assert torch.equal(leaving(stream, 2, logits[[0, 2]]), everybody[[0, 2]])
