"""The first exit that is right: a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput, Stateless, own_answers
from greenexp.replay.fields import check_fields


@dataclass(frozen=True)
class Oracle(Stateless):
    """An example leaves at the first exit that is right: a bound on what policies could do, none that can be used.

    It needs the labels, and InputError says so where there are none. Right is the exit's own answer (the first of
    several largest logits). Regression is refused: a number is not right or wrong. Every exit on the way is paid for.

    never_right: where an example leaves that no exit gets right: `last`; or `first`, the cheapest bound, which replay
        alone can have, since at the first exit a stream cannot know what later ones will say
    """

    never_right: str = "last"

    family: ClassVar[str] = "oracle"

    def __post_init__(self) -> None:
        check_fields(self, "oracle")

    def stream(self) -> Oracle:
        """See `Policy.stream`. InputError for `never_right: first`."""
        if self.never_right == "first":
            raise InputError("oracle with never_right=first can only be replayed: at the first exit nobody knows yet")
        return self

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        if output.labels is None:
            raise InputError("oracle needs the labels, which nobody has where a policy is used: it is a bound")
        if output.logits.shape[1] == 1:
            raise InputError("oracle needs classes: a number is not right or wrong")
        answers = own_answers(output.logits)
        return ExitDecision(answers == output.labels, answers)
