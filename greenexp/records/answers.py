"""What a trial's exits answered on every dev example: what a score can be resampled from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ExampleAnswers:
    """The answers of all trained exits at the trial's best epoch, examples in the order of the dev split.

    answers: [exit, example], predicted classes (the smallest integers that hold them) or, of a regression, values
        (float32); labels: [example], the same kind; exits: [exit], their numbers, ascending
    losses: float32 [exit, example], -log of the probability of the label in nats, or the squared error; None where
        the sweep's metric is not the loss, so that thousands of trials fit into memory
    """

    answers: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    exits: npt.NDArray[np.int64]
    losses: npt.NDArray[np.float32] | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the answers are numbers and no classes."""
        return bool(np.issubdtype(self.answers.dtype, np.floating))

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(self.labels)
