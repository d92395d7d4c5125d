"""Trials of which nothing is heard any more: how long that may take, by the driver's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from greenexp.records.foreseen import default_limit_s
from greenexp.units import format_duration

UNKNOWN_S = 1800.0
"""The limit by default of a trial that has not reported and was not priced: nobody knows what it costs, or what its
worker must fetch."""


class Silence:
    """When each running trial was last heard of.

    stated_s: `resources.no_report_limit`, None for the default: `default_limit_s` of the trial's longest time from one
        sign of life to the next, or of what the price expects, if that is more; UNKNOWN_S where there is neither
    known_s: (trial, seconds) of reports of earlier sessions
    expected_s: trial -> expected longest time between two reports, of those whose price in seconds is known
    clock: seconds that never go back
    """

    def __init__(
        self,
        stated_s: float | None,
        known_s: Iterable[tuple[str, float]] = (),
        expected_s: Mapping[str, float] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stated_s = stated_s
        self._longest_s: dict[str, float] = dict(expected_s or {})
        for trial, seconds in known_s:
            self._note(trial, seconds)
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._together: dict[str, int] = {}

    def limit_s(self, trial: str) -> float:
        """Seconds without a sign of life after which the trial is given up."""
        if self._stated_s is not None:
            return self._stated_s
        longest_s = self._longest_s.get(trial)
        return UNKNOWN_S if longest_s is None else default_limit_s(longest_s * self._together.get(trial, 1))

    def began(self, trial: str, together: int = 1) -> None:
        """A worker took the trial, with others of them `together`, which it trains as one: it reports later."""
        self._heard[trial], self._together[trial] = self._clock(), together

    def heard(self, trial: str) -> None:
        """The trial reported, or was saved, and trains on."""
        now = self._clock()
        if trial in self._heard:
            self._note(trial, now - self._heard[trial])
        self._heard[trial] = now

    def ended(self, trial: str) -> None:
        """No worker has the trial any more."""
        self._heard.pop(trial, None)

    def overdue(self) -> dict[str, str]:
        """Trial -> reason, of those that have been silent for too long; each is said once."""
        now = self._clock()
        late = [trial for trial, heard in self._heard.items() if now - heard > self.limit_s(trial)]
        for trial in late:
            self.ended(trial)
        return {
            trial: f"no report for {format_duration(self.limit_s(trial))} (resources.no_report_limit)" for trial in late
        }

    def _note(self, trial: str, seconds: float) -> None:
        self._longest_s[trial] = max(self._longest_s.get(trial, 0.0), seconds)
