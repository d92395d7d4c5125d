"""Which reports, rungs and test results a run in MLflow has, told by one metric point of each: its marker.

MLflow may have some that the journal does not say: a journal can lose its last lines with the disk it lies on, or be
put back from a copy, after MLflow had them. Then what is done again would stand in MLflow twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenexp.journal.state import TrialState
from greenexp.tracking import names
from greenexp.tracking.content import MetricPoint, other_points, report_markers
from greenexp.tracking.tracked_sweep import TrackedSweep

_SERIES = re.compile(r"attempt_\d+/")
_HELD_OUT = re.compile(r"exit_\d+/test_")
_PLAIN = frozenset({names.ATTEMPT, names.RUNG_VALUE, names.RUNG_CUTOFF, names.TEST_SCORE})


@dataclass(frozen=True, slots=True)
class TrialMarkers:
    """The markers that the journal gives a trial's run.

    points: (metric, step) -> time in ms
    latest: metric -> its value at the last step, of all markers and of the times of reports
    """

    points: Mapping[tuple[str, int], int]
    latest: Mapping[str, float]

    @property
    def names(self) -> set[str]:
        """Their metrics."""
        return {name for name, _ in self.points}

    def told_by(self, metrics: Mapping[str, float]) -> bool:
        """Whether `metrics`, the last value of each as a search returns them, are those of the journal."""
        return {name: value for name, value in metrics.items() if is_marker(name) or _is_time(name)} == self.latest

    def allow(self, found: Iterable[tuple[str, int, int]]) -> bool:
        """Whether all of `found`, (metric, step, time in ms) of points in MLflow, stand in the journal, each once."""
        listed = list(found)
        return len(set(listed)) == len(listed) and all(self.points.get((name, step)) == ms for name, step, ms in listed)


def markers_of(tracked: TrackedSweep, trial: TrialState) -> TrialMarkers:
    """The markers of everything that the journal says of a trial."""
    reports = [pair for pairs in report_markers(tracked, trial) for pair in pairs]
    points = [*reports, *other_points(trial)]
    return TrialMarkers(
        points={(point.name, point.step): point.time_ms for point in points if is_marker(point.name)},
        latest={point.name: point.value for point in sorted(points, key=_step)},
    )


def is_marker(metric: str) -> bool:
    """Whether a metric is a marker, of whatever attempt."""
    name = _SERIES.sub("", metric, count=1)
    return name in _PLAIN or _HELD_OUT.match(metric) is not None


def _is_time(metric: str) -> bool:
    return _SERIES.sub("", metric, count=1) == names.TIME


def _step(point: MetricPoint) -> int:
    return point.step
