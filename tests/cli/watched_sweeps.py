"""Sweeps in progress for what a terminal shows, without a driver."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from stand_ins import a_record, a_trial

from greenexp.journal.events import FORMAT, Event
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState

BEGAN = 1_000_000.0
PRICE = {
    "epochs": {"low": 60.0, "expected": 80.0, "high": 100.0, "source": ""},
    "wall_s": {"low": 100.0, "expected": 200.0, "high": 400.0, "source": "12 trials of s"},
}
REASON = "not within the best 1/2 of the 2 before it, by the mean over the seeds that had come there"
BUDGET = {"epochs": 100.0, "wall_s": 300.0, "train_flops": 5e10}
ESCAPES = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class WatchedSweep:
    """A journal in a folder, and the state that a driver would have of it."""

    def __init__(self, folder: Path, trials: int = 12, *, price: bool = True, **budget: float) -> None:
        self.trials = [a_trial(number, 0, 1) for number in range(trials)]
        self.state = SweepState()
        self.listen: Callable[[Event], None] = lambda _: None
        self._now = BEGAN
        self._journal = Journal(folder / NAME, clock=lambda: self._now)
        spec = {
            "name": "smoke",
            "task": {"name": "clauses"},
            "metric": {"name": "accuracy"},
            "budget": budget or BUDGET,
        }
        self.append("sweep", format=FORMAT, name="smoke", fingerprint="f", spec=spec)
        for trial in self.trials:
            self.append("trial", spec=trial.to_json())
        self._session = {"price": PRICE} if price else {}

    def __enter__(self) -> WatchedSweep:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def append(self, kind: str, **data: Any) -> None:
        event = self._journal.append(kind, **data)
        self.state.apply(event)
        self.listen(event)

    def begin(self) -> None:
        self.append("session", number=1, **self._session)

    def start(self, number: int) -> None:
        self.append("started", trial=self.trials[number].trial, attempt=1, after=0)

    def report(self, number: int, epoch: int, after_s: float = 1.0) -> None:
        self._now += after_s
        record = a_record(self.trials[number], epoch)
        self.append("report", trial=self.trials[number].trial, attempt=1, record=record.to_json())

    def stop(self, number: int, rung: int) -> None:
        self.append("decision", trial=self.trials[number].trial, action="stop", rung=rung, reason=REASON)

    def fail(self, number: int) -> None:
        self.append(
            "ended",
            trial=self.trials[number].trial,
            attempt=1,
            status="failed",
            reason="out of memory",
            lost_wall_s=0.0,
        )

    def close(self, status: str = "finished") -> None:
        self.append("closed", status=status)

    def half_way(self, running: int = 2) -> None:
        """One finished, one stopped, one failed, some running."""
        self.begin()
        for number in range(3 + running):
            self.start(number)
        for epoch in range(1, 10):
            self.report(0, epoch)
        self.report(1, 1)
        self.stop(1, 1)
        self.fail(2)
        for number in range(3, 3 + running):
            self.report(number, 2)

    def half_way_of_four(self) -> None:
        """One finished, one failed, two running."""
        self.begin()
        for number in range(4):
            self.start(number)
        self.report(0, 9)
        self.fail(2)


def a_console(width: int, height: int, **options: Any) -> Console:
    """A terminal of that size, which records."""
    fields: dict[str, Any] = {"force_terminal": True, "color_system": "truecolor", "highlight": False, **options}
    environ = {"TERM": "xterm-256color"}
    return Console(record=True, width=width, height=height, _environ=environ, legacy_windows=False, **fields)


def drawn(renderable: RenderableType, width: int, height: int) -> list[str]:
    """The lines of one drawing, without colours and trailing spaces."""
    console = a_console(width, height)
    with console.capture() as captured:
        console.print(renderable)
    return [line.rstrip() for line in ESCAPES.sub("", captured.get()).splitlines()]
