"""The one protocol every exit policy follows in stream form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class ExitOutput:
    """What a policy may look at when an exit has been evaluated. Rows are the examples still inside, in their order.

    number: of the exit, from 1; logits: [example, class], one column for regression
    learned: float [example], what the model's learned exit module says here; None if it has none
    labels: [example], where they are known; a serving engine knows none
    """

    number: int
    logits: Tensor
    learned: Tensor | None = None
    labels: Tensor | None = None


class ExitDecision(NamedTuple):
    """leaves: bool [example], who leaves here; answers: what each row would answer if it left here, [example].

    Answers are classes (int64), or values (the logits' type) for regression.
    """

    leaves: Tensor
    answers: Tensor


class PolicyStream(Protocol):
    """One batch on its way up."""

    def decide(self, output: ExitOutput) -> ExitDecision:
        """Who leaves at this exit, and with which answer. No host synchronisation.

        Called once per consulted exit, ascending, the last one included: there everybody leaves, whatever `leaves`
        says, and `answers` counts. An untrained exit is never consulted.
        """

    def keep(self, rows: Tensor) -> None:
        """Forget everybody but `rows` (bool mask or int64 indices over the current rows)."""


class Policy(Protocol):
    """The frozen dataclass behind a name in POLICIES; its fields are the threshold and the options.

    One that has a replay form (`greenexp.replay`) names it in a class variable `family`.
    """

    def stream(self) -> PolicyStream:
        """The policy at the first layer, nothing seen yet."""


class Stateless:
    """Base of streams whose decision depends on the current exit alone."""

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`: nothing is remembered, so nothing is forgotten."""


def own_answers(logits: Tensor) -> Tensor:
    """What an exit answers by itself: the class of the largest logit (the first of several), or the value."""
    return logits[:, 0] if logits.shape[1] == 1 else logits.argmax(dim=1)
