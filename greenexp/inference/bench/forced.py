"""Policies that leave where they are told: they make the exits of a measurement a given, and cost what others cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from greenexp.exits.policies.base import ExitDecision, ExitOutput, Policy, PolicyStream


@dataclass(frozen=True)
class Forced:
    """Asks `policy` at every consulted exit, so that its decisions are paid for, and lets everybody leave at `exit`.

    exit: number, from 1; None: nobody leaves before the last exit
    """

    policy: Policy
    exit: int | None = None

    def stream(self) -> PolicyStream:
        """See `Policy.stream`."""
        return _ForcedStream(self.policy.stream(), self.exit)


class _ForcedStream:
    def __init__(self, stream: PolicyStream, exit_number: int | None) -> None:
        self._stream, self._exit = stream, exit_number

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        decision = self._stream.decide(output)
        here = self._exit is not None and output.number >= self._exit
        return ExitDecision(torch.full_like(decision.leaves, here), decision.answers)

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`."""
        self._stream.keep(rows)
