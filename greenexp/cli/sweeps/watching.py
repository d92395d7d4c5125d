"""`greenexp status --watch`: a sweep that another process runs, looked at until it has ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from greenexp.cli.sweeps.lines import expected_end, totals, whole_seconds
from greenexp.cli.sweeps.progress import is_live
from greenexp.cli.sweeps.view import SweepView, ended_at, ended_line
from greenexp.journal.state import TrialState
from greenexp.sources.following import FollowedSweep
from greenexp.sources.status import SweepStatus, sweep_status

RUNNING = frozenset({"not begun: the journal is empty", "planned", "running or killed"})
"""States in which there is something to wait for."""
SHARE_OF_ENDED = 3
"""The first look shows as many of the trials that had ended as fit in a third of the screen."""
SILENT_S = 60.0
"""Of a sweep that has written nothing for longer, this is said: its driver may have been killed."""
Sleep = Callable[[float], None]
Clock = Callable[[], float]


def watch_sweep(
    folder: Path,
    every_s: float,
    *,
    console: Console | None = None,
    sleep: Sleep = time.sleep,
    clock: Clock = time.time,
) -> SweepStatus:
    """Show the sweep in `folder` every `every_s` seconds until it has ended, or until Ctrl-C, which is no error.

    On a terminal it is drawn in place, with a line that stays for every trial that ends; elsewhere a line is printed
    whenever something has changed. Returns the last status. JournalError where the journal is damaged.
    """
    console = Console(highlight=False) if console is None else console
    look = _Look(FollowedSweep(folder), clock)
    with contextlib.suppress(KeyboardInterrupt):
        if is_live(console):
            _watch_live(look, every_s, console, sleep)
        else:
            _watch_plain(look, every_s, sleep)
    return look.where


class _Look:
    """The sweep as it was seen last, and which of its trials had not ended before."""

    def __init__(self, followed: FollowedSweep, clock: Clock) -> None:
        self._followed = followed
        self._clock = clock
        self._told: set[str] = set()
        self.again()

    def again(self) -> None:
        """Look now."""
        self.state = self._followed.state()
        self.where: SweepStatus = sweep_status(self.state, self._followed.folder)

    @property
    def over(self) -> bool:
        """Whether nothing more is to come: it has ended, or its driver has left it in good order."""
        return self.where.state not in RUNNING

    def new_ended(self) -> list[TrialState]:
        """The trials that have ended since the last call, in the order in which they did."""
        found = [t for t in self.state.trials.values() if t.ended and t.spec.trial not in self._told]
        self._told |= {trial.spec.trial for trial in found}
        return sorted(found, key=ended_at)

    def view(self) -> SweepView:
        """What is drawn."""
        now, live = self._clock(), self.where.state == "running or killed"
        written = self.where.last_event or now
        if not live or now - written <= SILENT_S:
            return SweepView(self.state, self.where, now, "" if live else self.where.state, live=live)
        # All is shown as it was then: nobody knows whether time has gone on.
        silence = f"nothing new for {whole_seconds(now - written)}: it trains, or was killed"
        return SweepView(self.state, self.where, written, silence)


def _watch_live(look: _Look, every_s: float, console: Console, sleep: Sleep) -> None:
    newest = look.new_ended()[-max(1, console.height // SHARE_OF_ENDED) :]
    # Rich draws from a thread of its own unless it is told when: here the state changes only between two drawings.
    with Live(look.view(), console=console, auto_refresh=False, transient=False) as live:
        while True:
            names = list(look.state.trials)
            for trial in newest:
                best = look.where.best is not None and look.where.best.trial == trial.spec.trial
                console.print(ended_line(trial, names=names, best=best))
            live.update(look.view(), refresh=True)
            if look.over:
                return
            sleep(every_s)
            look.again()
            newest = look.new_ended()


def _watch_plain(look: _Look, every_s: float, sleep: Sleep) -> None:
    printed = ""
    while True:
        parts = (look.where.state, totals(look.where), "" if look.over else expected_end(look.where))
        line = f"{look.where.name or look.where.folder}  {'  '.join(part for part in parts if part)}"
        if line != printed:
            click.echo(line)
            printed = line
        if look.over:
            return
        sleep(every_s)
        look.again()
