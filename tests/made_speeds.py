"""Speeds of a machine that runs everything alike, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from greenexp.records.speeds import Speeds, TrialKind, TrialSpeed


@dataclass(frozen=True)
class Alike(Speeds):
    """Every shape at one speed."""

    speed: TrialSpeed = field(default_factory=lambda: TrialSpeed(1.0, 1.0))

    def of(self, shape: TrialKind) -> TrialSpeed | None:
        return self.speed


def exactly(seconds_per_flop: float, joules_per_flop: float | None = None) -> Alike:
    """Without any doubt; evaluation takes as long as training."""
    watts = None if joules_per_flop is None else joules_per_flop / seconds_per_flop
    speed = TrialSpeed(
        seconds_per_flop, 1.0, eval_ratio=1.0, eval_spread=0.0, doubt=0.0, watts=watts, power_doubt=0.0, source="made"
    )
    return Alike(speed=speed)
