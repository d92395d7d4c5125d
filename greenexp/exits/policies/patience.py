"""Patience: exits in a row that agree (PABEE, Zhou et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput, own_answers
from greenexp.replay.fields import check_fields, limit_at


@dataclass(frozen=True)
class Patience:
    """An example leaves once `patience` exits in a row have agreed with the one before them.

    A counter starts at 0 at the first consulted exit; at each further one it rises by 1 if the exit agrees with the one
    before, else it falls back to 0; when it equals `patience` the example leaves, with this exit's answer. So nobody
    leaves before exit patience + 1 (of those consulted), with as many exits or fewer all reach the last one, and with
    one exit patience means nothing. Classes agree if they are the same (of several largest logits the first counts);
    numbers if |y_i - y_(i-1)| < tolerance, strictly, in float32, as in the official code. An exit with a NaN among its
    logits predicts nothing: the counter falls to 0, and the next exit cannot agree with it.

    patience: 0, as in the official code, has a meaning of its own: all run to the last exit, which answers
    tolerance: needed for regression (one output), and refused for classes
    """

    patience: int = 3
    tolerance: float | None = None

    family: ClassVar[str] = "patience"

    def __post_init__(self) -> None:
        check_fields(self, "patience")

    def stream(self) -> PatienceStream:
        """See `Policy.stream`."""
        return PatienceStream(self)


class PatienceStream:
    """Remembers what each row's last exit predicted (NaN, or -1 for a class, for nothing), and its counter."""

    def __init__(self, policy: Patience) -> None:
        self._policy = policy
        self._before: Tensor | None = None
        self._counter: Tensor | None = None

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`. InputError for regression without a tolerance, and for classes with one."""
        predicted = self._predicted(output.logits)
        if self._before is None or self._counter is None:
            self._counter = torch.zeros(len(predicted), dtype=torch.int64, device=predicted.device)
        else:
            self._counter = (self._counter + 1) * self._agree(self._before, predicted)
        self._before = predicted
        leaves = (self._counter == self._policy.patience) & (self._policy.patience > 0)
        return ExitDecision(leaves, own_answers(output.logits))

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`."""
        if self._before is not None and self._counter is not None:
            self._before, self._counter = self._before[rows], self._counter[rows]

    def _predicted(self, logits: Tensor) -> Tensor:
        if logits.shape[1] == 1:
            if self._policy.tolerance is None:
                raise InputError("patience on a regression output needs a tolerance: how far apart numbers may be")
            return logits[:, 0]
        if self._policy.tolerance is not None:
            raise InputError("patience has a tolerance for a regression output alone: classes agree or they do not")
        return logits.argmax(dim=1).where(~logits.isnan().any(dim=1), -1)

    def _agree(self, before: Tensor, now: Tensor) -> Tensor:
        if self._policy.tolerance is None:
            return (before == now) & (now >= 0)
        return (now - before).abs() < limit_at(self._policy.tolerance, 1)
