"""Test sets whose labels a leaderboard keeps: texts to answer, and the form the answers are wanted in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from greenexp.errors import InputError
from greenexp.records.sections import TaskChoice


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """A submission file.

    file: its name; header: of its two columns; written: class name -> what stands for it there, empty for values
    limits: what values are clipped to
    """

    file: str
    header: tuple[str, str]
    written: Mapping[str, str]
    limits: tuple[float, float] = (-math.inf, math.inf)

    def lines(self, answers: Sequence[str | float]) -> Iterator[str]:
        """Header, then `row number from 0 <tab> answer` of class names, or of values with three decimals.

        Raises InputError for what cannot be handed in: an unknown class, a class where values are wanted or a value
        where classes are, a value that is not finite.
        """
        yield "\t".join(self.header)
        for number, answer in enumerate(answers):
            yield f"{number}\t{self._text(answer)}"

    def _text(self, answer: str | float) -> str:
        if self.written:
            if not isinstance(answer, str) or answer not in self.written:
                raise InputError(f"{self.file} takes {', '.join(self.written)}; the model answers {answer!r}")
            return self.written[answer]
        if isinstance(answer, str) or not math.isfinite(answer):
            raise InputError(f"{self.file} takes finite numbers; the model answers {answer!r}")
        return f"{min(max(answer, self.limits[0]), self.limits[1]):.3f}"


@dataclass(frozen=True, eq=False)
class UnlabelledSplit:
    """Texts, and second texts in tasks on pairs, in the order in which the leaderboard wants them answered."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    form: AnswerForm

    def __len__(self) -> int:
        return len(self.texts)


@runtime_checkable
class HasUnlabelled(Protocol):
    """What a task that has such test sets can do besides `load`; no trial reads them."""

    def unlabelled(self) -> Mapping[str, UnlabelledSplit]:
        """They by name; the same fields give the same texts. Raises InputError if they cannot be read."""


def unlabelled_splits(choice: TaskChoice) -> Mapping[str, UnlabelledSplit]:
    """The test sets without labels of a trial's task. Raises InputError where it has none, or they cannot be read."""
    from greenexp.tasks import TASKS

    task = choice.plugin()
    if not isinstance(task, HasUnlabelled):
        able = [other for other in TASKS if hasattr(TASKS[other], "unlabelled")]
        raise InputError(
            f"task '{choice.name}' has no test set whose labels a leaderboard keeps, so there is nothing to hand in "
            f"(tasks that have: {', '.join(able)})"
        )
    return task.unlabelled()
