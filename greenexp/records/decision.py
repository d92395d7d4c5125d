"""What a scheduler says about a trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from greenexp.records.progress import Epochs


class Action(StrEnum):
    """What happens to a trial next; the value is what the journal stores."""

    GO_ON = "go_on"
    """Train to the next report."""
    PAUSE = "pause"
    """Save and leave the worker; others must report before the decision falls."""
    STOP = "stop"
    """Never train again; the score so far stands, marked as stopped early."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The action for one trial: `rung` is the epoch it falls at, `value` what was compared, `cutoff` with what.

    `level` is the rung where rungs do not count epochs: what a trial must have used on the scheduler's `resource`, in
    its unit; `rung` is then the trial's own epoch (0 for one that never began).

    `value` is the mean over the configuration's first `seeds` seeds where the configuration is the unit of decision.
    `noise` is the standard error, from the scatter of seeds at that rung, of the difference of two such means
    (`schedulers.rung_noise`); None where nothing was compared, or no configuration had two seeds there.
    `front` and `place` are where several objectives were compared: the front of non-dominated configurations that it
    is on, and its place in the order of all that had come to the rung, both from 1. `value` is then the score.
    """

    trial: str
    action: Action
    rung: Epochs | None = None
    value: float | None = None
    cutoff: float | None = None
    bracket: int = 0
    reason: str = ""
    seeds: int | None = None
    noise: float | None = None
    front: int | None = None
    place: int | None = None
    level: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return {**dataclasses.asdict(self), "action": self.action.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict `to_json` wrote."""
        return cls(**{**data, "action": Action(data["action"])})


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on the trial that reported, and on every paused trial that this report releases or stops.

    before: the trial's verdicts at lower rungs that the same report passed
    """

    own: Verdict
    others: tuple[Verdict, ...] = ()
    before: tuple[Verdict, ...] = ()

    @property
    def action(self) -> Action:
        """What the reporting trial does next."""
        return self.own.action

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All verdicts, the reporting trial's first."""
        return (*self.before, self.own, *self.others)
