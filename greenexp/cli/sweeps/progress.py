"""Progress of a running sweep on stderr: a live table on a terminal, one plain line per event otherwise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from greenexp.journal.events import Event
from greenexp.journal.state import SweepState, TrialState
from greenexp.records.axes import AXES
from greenexp.units import format_duration, format_quantity

_VERBS = {"stop": "stopped", "go_on": "goes on", "pause": "waits"}


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


def open_progress(state: SweepState, limits: Mapping[str, float]) -> Progress:
    """The live table if stderr is a terminal, else plain lines."""
    console = Console(stderr=True)
    return LiveProgress(state, limits, console) if console.is_terminal else PlainProgress(state)


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
    """A table of the trials that are running, under a line of totals; redrawn in place."""

    def __init__(self, state: SweepState, limits: Mapping[str, float], console: Console) -> None:
        self._state, self._limits = state, limits
        self._notes: list[str] = []
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=4, transient=False)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """Failures and limits stay above the table; the rest is drawn from the state."""
        if event.kind in {"limit", "ended"}:
            self.say(describe(event, self._state) or "")

    def say(self, text: str) -> None:
        """Print it above the table."""
        if text:
            self._live.console.print(Text(text))

    def _draw(self) -> Table:
        title = Text(totals(self._state, self._limits))
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), expand=True)
        for heading in ("trial", "epoch", "score", "best", "train loss", "for"):
            table.add_column(heading, justify="left" if heading == "trial" else "right")
        for trial in self._state.trials.values():
            if trial.status == "running":
                table.add_row(*_cells(trial))
        return table


def describe(event: Event, state: SweepState) -> str | None:
    """One line for a person, or None where the next event says more."""
    data = event.data
    if event.kind == "report":
        record, trial = data["record"], state.trials[data["trial"]]
        total = trial.spec.settings.training.epochs
        score = f"score {record['score']:.4f}  best {record['best_score']:.4f}  loss {record['train_loss']:.4f}"
        end = f"  finished{', ' + trial.reason if trial.reason else ''}" if record["last"] else ""
        return f"{data['trial']}  epoch {record['epoch']}/{total}  {score}{end}"
    if event.kind == "decision" and data["action"] == "stop":
        return f"{data['trial']}  {_VERBS['stop']} at epoch {data['rung']}: {data['reason']}"
    if event.kind == "ended":
        return f"{data['trial']}  {data['status']}: {data['reason']}"
    if event.kind == "limit":
        used, limit = _quantity(data["axis"], data["used"]), _quantity(data["axis"], data["limit"])
        return f"limit reached: {data['axis']} {used} of {limit}; nothing more is started"
    return None


def totals(state: SweepState, limits: Mapping[str, float]) -> str:
    """`11/16 trials · 4 stopped early · 58 epochs · best 0.978 (c003-i0-o0) · 1m 12s of 5m 00s`."""
    trials = list(state.trials.values())
    ended = sum(trial.ended for trial in trials)
    parts = [f"{ended}/{len(trials)} trials"]
    for status, words in (("stopped", "stopped early"), ("failed", "failed"), ("paused", "waiting")):
        count = sum(trial.status == status for trial in trials)
        parts += [f"{count} {words}"] if count else []
    parts.append(f"{state.epochs_run} epochs")
    best = state.best
    parts += [f"best {best.score:.4f} ({best.spec.trial})"] if best is not None else []
    elapsed = format_duration(state.elapsed_s)
    parts.append(f"{elapsed} of {format_duration(limits['wall_s'])}" if "wall_s" in limits else elapsed)
    return " · ".join(parts)


def _cells(trial: TrialState) -> tuple[Any, ...]:
    epochs = trial.spec.settings.training.epochs
    if not trial.records:
        return (trial.spec.trial, f"1/{epochs}", "", "", "", format_duration(max(0.0, time.time() - trial.last_seen)))
    record = trial.records[trial.epoch]
    under_way = f"{min(trial.epoch + 1, epochs)}/{epochs}"
    numbers = (f"{record.score:.4f}", f"{record.best_score:.4f}", f"{record.train_loss:.4f}")
    return (trial.spec.trial, under_way, *numbers, format_duration(max(0.0, time.time() - trial.last_seen)))


def _quantity(axis: str, value: float | None) -> str:
    return format_quantity(value, AXES[axis].unit)
