"""Trials of which nothing is heard any more: how long that may take, by the driver's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from greenexp.units import format_duration

MARGIN = 10.0
"""By default a trial may take so many times as long as the longest report so far took."""
LEAST_S = 120.0
UNKNOWN_S = 1800.0
"""The limit by default, while no trial of the sweep has reported: a worker may have to fetch and compile first."""


class Silence:
    """When each running trial was last heard of.

    stated_s: `resources.no_report_limit`, None for the default: MARGIN times the longest time from one sign of life of
        a trial to its next, at least LEAST_S; UNKNOWN_S before there was one
    known_s: seconds that reports of earlier sessions took
    clock: seconds that never go back
    """

    def __init__(
        self, stated_s: float | None, known_s: Iterable[float] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stated_s = stated_s
        self._longest_s = max(known_s, default=0.0)
        self._clock = clock
        self._heard: dict[str, float] = {}

    @property
    def limit_s(self) -> float:
        """Seconds after which a trial that is not heard of is given up."""
        if self._stated_s is not None:
            return self._stated_s
        return max(LEAST_S, MARGIN * self._longest_s) if self._longest_s else UNKNOWN_S

    def began(self, trial: str) -> None:
        """A worker took the trial."""
        self._heard[trial] = self._clock()

    def heard(self, trial: str) -> None:
        """The trial reported, or was saved, and trains on."""
        now = self._clock()
        self._longest_s = max(self._longest_s, now - self._heard.get(trial, now))
        self._heard[trial] = now

    def ended(self, trial: str) -> None:
        """No worker has the trial any more."""
        self._heard.pop(trial, None)

    def overdue(self) -> dict[str, str]:
        """Trial -> reason, of those that have been silent for too long; each is said once."""
        now, limit_s = self._clock(), self.limit_s
        late = [trial for trial, heard in self._heard.items() if now - heard > limit_s]
        for trial in late:
            self.ended(trial)
        return {trial: f"no report for {format_duration(limit_s)} (resources.no_report_limit)" for trial in late}
