"""Policies that remember: patience, voting and the most confident exit, exit by exit and with rows leaving."""

from __future__ import annotations

import math

import pytest
import torch

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput, PolicyStream
from greenexp.exits.policies.max_probability import MaxProbability
from greenexp.exits.policies.patience import Patience
from greenexp.exits.policies.voting import Voting


def asked(stream: PolicyStream, *exits: torch.Tensor) -> list[ExitDecision]:
    """One decision per exit; nobody is dropped."""
    return [stream.decide(ExitOutput(number, logits)) for number, logits in enumerate(exits, start=1)]


def classes(*predicted: int, of: int = 3) -> torch.Tensor:
    """Logits [example, class] that predict these classes; -1: a NaN among them."""
    rows = torch.zeros(len(predicted), of)
    for row, kind in enumerate(predicted):
        rows[row, kind] = math.nan if kind < 0 else 2.0
    return rows


def leaves(decisions: list[ExitDecision]) -> list[list[bool]]:
    return [decision.leaves.tolist() for decision in decisions]


def test_patience_counts_agreements_in_a_row():
    exits = [classes(0, 0, 0), classes(0, 1, 0), classes(0, 1, 2), classes(0, 1, 2)]
    assert leaves(asked(Patience(2).stream(), *exits)) == [
        [False, False, False],
        [False, False, False],
        [True, False, False],
        [False, True, False],
    ]
    assert not any(map(any, leaves(asked(Patience(0).stream(), *exits))))


def test_an_exit_with_a_nan_predicts_nothing():
    """It breaks the row, and the next exit has nobody to agree with, a second NaN least of all."""
    exits = [classes(0, 0), classes(-1, -1), classes(0, -1), classes(0, -1)]
    assert leaves(asked(Patience(1).stream(), *exits)) == [[False] * 2, [False] * 2, [False] * 2, [True, False]]
    numbers = [torch.tensor([[1.0], [math.inf]]), torch.tensor([[math.nan], [math.inf]]), torch.ones(2, 1)]
    assert not any(map(any, leaves(asked(Patience(1, tolerance=9.0).stream(), *numbers))))


def test_of_several_largest_logits_the_first_is_what_an_exit_predicts():
    assert leaves(asked(Patience(1).stream(), torch.zeros(1, 3), classes(0)))[1] == [True]
    assert leaves(asked(Patience(1).stream(), torch.zeros(1, 3), classes(1)))[1] == [False]


def test_numbers_agree_strictly_within_the_tolerance():
    exits = [torch.tensor([[1.0], [1.0]]), torch.tensor([[1.5], [1.25]])]
    assert leaves(asked(Patience(1, tolerance=0.5).stream(), *exits))[1] == [False, True]
    assert not any(leaves(asked(Patience(1, tolerance=0.0).stream(), exits[0], exits[0]))[1])
    assert asked(Patience(1, tolerance=0.5).stream(), *exits)[1].answers.tolist() == [1.5, 1.25]


def test_a_tolerance_is_for_numbers():
    with pytest.raises(InputError, match="needs a tolerance"):
        asked(Patience().stream(), torch.zeros(2, 1))
    with pytest.raises(InputError, match="regression output alone"):
        asked(Patience(tolerance=1.0).stream(), torch.zeros(2, 2))


def test_voting_needs_fewer_equal_votes_the_smaller_the_exponent():
    assert [Voting().needed(exits) for exits in (1, 3, 4, 6, 9)] == [2, 4, 4, 5, 6]
    assert [Voting(threshold=2.0, exponent=0.0).needed(exits) for exits in (1, 2, 9)] == [2, 2, 2]
    assert [Voting(threshold=0.6, exponent=1.0).needed(exits) for exits in (1, 2, 5)] == [1, 2, 3]


def test_voting_answers_with_most_votes_and_ties_with_the_smallest_class():
    exits = [classes(2, 1, -1), classes(0, 1, 1), classes(0, 0, -1), classes(2, 0, -1)]
    decisions = asked(Voting(threshold=2, exponent=0).stream(), *exits)
    assert [decision.answers.tolist() for decision in decisions] == [[2, 1, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert leaves(decisions) == [[False] * 3, [False, True, False], [True, True, False], [True, True, False]]
    with pytest.raises(InputError, match="two classes"):
        asked(Voting().stream(), torch.zeros(2, 1))


def test_the_most_confident_exit_answers_if_nobody_is_confident():
    sure, surer, bad = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[math.nan, 9.0]])
    stream = MaxProbability(threshold=0.99, unsure="most_confident").stream()
    answers = [decision.answers.tolist() for decision in asked(stream, bad, sure, surer, bad, sure.flip(1), surer)]
    assert answers == [[0], [0], [1], [1], [1], [1]]  # a NaN is the largest, as argmax has it
    tied = asked(MaxProbability(threshold=1, unsure="most_confident").stream(), sure, sure.flip(1))
    assert tied[-1].answers.tolist() == [0]


@pytest.mark.parametrize(
    "policy", [Patience(2), Voting(), MaxProbability(unsure="most_confident"), Patience(2, tolerance=0.5)]
)
@pytest.mark.parametrize("rows", [torch.tensor([True, False, True, False]), torch.tensor([2, 0])])
def test_what_is_remembered_follows_its_rows(policy: Patience | Voting | MaxProbability, rows: torch.Tensor):
    """The rows kept decide and answer as they would alone, and in their new order."""
    width = 1 if getattr(policy, "tolerance", None) else 3
    exits = torch.randn(5, 4, width, generator=torch.Generator().manual_seed(3)).round()
    dropped, alone = policy.stream(), policy.stream()
    for number, logits in enumerate(exits, start=1):
        here = logits if number <= 2 else logits[rows]
        found = dropped.decide(ExitOutput(number, here))
        if number == 2:
            dropped.keep(rows)
        expected = alone.decide(ExitOutput(number, logits[rows]))
        if number > 2:
            assert torch.equal(found.leaves, expected.leaves)
            assert torch.equal(found.answers, expected.answers)
    policy.stream().keep(rows)  # before the first exit there is nothing to forget
