"""Progress of a running sweep on stderr: bars and tables on a terminal, one plain line per event otherwise."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.status import Status
from rich.text import Text

from greenexp.api.watching import Watcher
from greenexp.cli.printing.labelled import say
from greenexp.cli.sweeps.lines import describe
from greenexp.cli.sweeps.preview import print_preview
from greenexp.cli.sweeps.view import SweepView, ended_line
from greenexp.journal.events import Event
from greenexp.journal.state import SweepState
from greenexp.sources.status import SweepStatus, sweep_status
from greenexp.units import format_duration, format_quantity

if TYPE_CHECKING:
    from greenexp.assets import Asset
    from greenexp.plan import Plan

_ENDING = frozenset({"report", "decision", "ended"})
"""Events with which a trial may end."""
MOST_OF_A_CORE = 0.1
"""What counting may take of the driver's time: of a sweep of thousands of trials it is done less often."""


class Progress(Protocol):
    """Shows events as they reach the disk; used as a context manager around a session."""

    def __enter__(self) -> Progress:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""

    def show(self, event: Event) -> None:
        """Take in one event."""

    def say(self, text: str) -> None:
        """A line of its own, now."""


def open_progress(state: SweepState) -> Progress:
    """The live table if stderr is a terminal that can be drawn on, else plain lines."""
    console = Console(stderr=True, highlight=False)
    return LiveProgress(state, console) if is_live(console) else PlainProgress(state)


def is_live(console: Console) -> bool:
    """Whether lines can be drawn anew there."""
    return console.is_terminal and not console.is_dumb_terminal


class TerminalWatcher(Watcher):
    """Prints what a run tells: the preview, then its progress; all of it on stderr.

    As a context manager it says on a terminal that the sweep is being checked, until there is more to show.
    """

    def __init__(self, *, open_cluster: bool = False) -> None:
        self._open_cluster = open_cluster
        self._progress: Progress | None = None
        self._checking: Status | None = None

    def __enter__(self) -> TerminalWatcher:
        console = Console(stderr=True, highlight=False)
        if is_live(console):
            self._checking = console.status("reading the sweep and its data ...", spinner="line")
            self._checking.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._checked()
        self.ended()

    def _checked(self) -> None:
        if self._checking is not None:
            self._checking.stop()
            self._checking = None

    def fetching(self, name: str, asset: Asset) -> None:
        """One line before each download."""
        size = format_quantity(float(asset.size_b), "B")
        say("fetching", f"{name}: {asset.about} ({size}, {asset.licence})")

    def planned(self, plan: Plan) -> None:
        """The preview, and what an open cluster means."""
        self._checked()
        print_preview(plan)
        if self._open_cluster:
            who = "everybody who can reach it may run code on it, and read what the sweep reads"
            say("open cluster", who)

    def began(self, state: SweepState) -> None:
        """From now on events are shown."""
        self._checked()
        self._progress = open_progress(state)
        self._progress.__enter__()

    def event(self, event: Event) -> None:
        """One more line, or another state of the table."""
        if self._progress is not None:
            self._progress.show(event)

    def interrupted(self) -> None:
        """What the first Ctrl-C does."""
        if self._progress is not None:
            self._progress.say("ending after the running epochs (again Ctrl-C: without waiting)")

    def ended(self) -> None:
        """The last state stays on the screen."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def broken_off(self, reason: str) -> None:
        """The last line that this process prints."""
        self.ended()
        click.echo(f"error: {reason}", err=True)

    def remark(self, subject: str, text: str) -> None:
        """A line of its own."""
        say(subject, text)


class PlainProgress:
    """One line per report, verdict that stops, failure and limit; no cursor movement."""

    def __init__(self, state: SweepState) -> None:
        self._state = state

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to tidy up."""

    def show(self, event: Event) -> None:
        """Print the event if a person would want to know."""
        line = describe(event, self._state)
        if line:
            click.echo(f"[{format_duration(self._state.elapsed_s):>7}] {line}", err=True)

    def say(self, text: str) -> None:
        """Print it."""
        click.echo(text, err=True)


class LiveProgress:
    """Progress, budgets and running trials, redrawn in place under the lines of the trials that have ended."""

    def __init__(self, state: SweepState, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._console = console
        self._sessions = len(state.sessions)
        self._told = {name for name, trial in state.trials.items() if trial.ended}
        self._ending, self._over = "", False
        self._due = 0.0
        self._drawn: tuple[int, SweepStatus] | None = None
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=False)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._due = 0.0  # what stays on the screen is the last state, whatever counting it takes
        self._live.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """A line that stays for each trial that has ended, a fault, and a limit; the rest is drawn from the state."""
        if event.kind in {"limit", "shared_failure"}:
            self._print(describe(event, self._state) or "")
        trial = self._state.trials[event.data["trial"]] if event.kind in _ENDING else None
        if trial is not None and trial.ended and trial.spec.trial not in self._told:
            self._told.add(trial.spec.trial)
            best = self._state.best
            self._console.print(ended_line(trial, names=list(self._state.trials), best=trial is best))

    def say(self, text: str) -> None:
        """It stays above the table until the sweep has ended."""
        self._ending = text

    def _print(self, text: str) -> None:
        self._console.print(Text(text))

    def _draw(self) -> SweepView:
        """The state as of now; Rich asks for it in a thread of its own, while the driver goes on."""
        began = time.perf_counter()
        if self._drawn is None or (self._drawn[0] != self._state.lines and began >= self._due):
            # A trial may be added while its fellows are counted: then the picture before stands for another moment.
            with contextlib.suppress(RuntimeError):
                lines = self._state.lines
                self._drawn = (lines, sweep_status(self._state, Path()))
            now = time.perf_counter()
            self._due = now + (now - began) / MOST_OF_A_CORE
        where = SweepStatus(None, "", "planned") if self._drawn is None else self._drawn[1]
        under_way = len(self._state.sessions) > self._sessions and not self._over
        return SweepView(self._state, where, self._clock(), self._phase(where, under_way=under_way), live=under_way)

    def _phase(self, where: SweepStatus, *, under_way: bool) -> str:
        """What goes on where no trial trains, or what the user asked for."""
        if self._over:
            return ""
        if self._ending or not under_way:
            return self._ending or "starting Ray ..."
        if where.state == "finished":
            return "evaluating what was chosen ..."
        return "" if where.trials.get("running") else "starting workers ..."
