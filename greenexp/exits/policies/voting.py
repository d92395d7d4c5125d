"""Voting: what all exits so far predict (after Sun et al. 2021, arXiv 2105.13792; a reconstruction)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import one_hot

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput
from greenexp.replay.fields import check_fields


@dataclass(frozen=True)
class Voting:
    """An example leaves at the first exit i with max_c votes_c / i^exponent >= the threshold (a reconstruction).

    A reconstruction from the abstract of Sun et al. 2021 (Early exiting with ensemble internal classifiers, arXiv
    2105.13792) and what others say about it: the paper's text was not at hand and its code was not found. Do not report
    it as their method.

    i counts the consulted exits from 1; votes_c is how many of them predict class c, of several largest logits the
    first. The answer is the class with most votes so far (of several the smallest), also at the last exit. An exit with
    a NaN among its logits does not vote but is counted; without any vote nobody leaves, and the answer is class 0.
    Votes are whole and i^exponent is a float64, so no rounding depends on the device. Regression is refused.

    threshold: 2 with exponent 0.5 needs 4 exits that agree, as many as patience 3; of 6 exits it needs 5
    exponent: 0: a fixed number of votes; towards 1: a share of the exits. At 1 the first exit's own vote is
        the most there can be, so that everybody leaves there or, with a threshold above 1, nobody before the last
    """

    threshold: float = 2.0
    exponent: float = 0.5

    family: ClassVar[str] = "voting"

    def __post_init__(self) -> None:
        check_fields(self, "voting")

    def stream(self) -> VotingStream:
        """See `Policy.stream`."""
        return VotingStream(self)

    def needed(self, exits: int) -> int:
        """The fewest equal votes of `exits` exits with which an example leaves; more than `exits` if there are none."""
        power = float(exits) ** self.exponent
        return next((votes for votes in range(1, exits + 1) if votes / power >= self.threshold), exits + 1)


class VotingStream:
    """Remembers each row's votes, int64 [example, class], and how many exits were asked."""

    def __init__(self, policy: Voting) -> None:
        self._policy = policy
        self._exits = 0
        self._votes: Tensor | None = None

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        logits = output.logits
        if logits.shape[1] == 1:
            raise InputError("voting needs at least two classes: numbers cannot be counted as votes")
        votes = one_hot(logits.argmax(dim=1), logits.shape[1]) * ~logits.isnan().any(dim=1, keepdim=True)
        self._votes = votes if self._votes is None else self._votes + votes
        self._exits += 1
        return ExitDecision(self._votes.amax(dim=1) >= self._policy.needed(self._exits), self._votes.argmax(dim=1))

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`."""
        if self._votes is not None:
            self._votes = self._votes[rows]
