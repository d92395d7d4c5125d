"""Progress of a running sweep on stderr: a live table on a terminal, one plain line per event otherwise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from greenexp.api.watching import Watcher
from greenexp.cli.sweeps.preview import print_preview
from greenexp.journal.events import Event
from greenexp.journal.state import ENDED, SweepState, TrialState
from greenexp.records.axes import AXES
from greenexp.sources.status import SweepStatus, sweep_status
from greenexp.units import format_duration, format_quantity

if TYPE_CHECKING:
    from greenexp.assets import Asset
    from greenexp.plan import Plan

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


def open_progress(state: SweepState) -> Progress:
    """The live table if stderr is a terminal, else plain lines."""
    console = Console(stderr=True)
    return LiveProgress(state, console) if console.is_terminal else PlainProgress(state)


class TerminalWatcher(Watcher):
    """Prints what a run tells: the preview, then its progress; all of it on stderr."""

    def __init__(self, *, open_cluster: bool = False) -> None:
        self._open_cluster = open_cluster
        self._progress: Progress | None = None

    def fetching(self, name: str, asset: Asset) -> None:
        """One line before each download."""
        size = format_quantity(float(asset.size_b), "B")
        click.echo(f"fetching      {name}: {asset.about} ({size}, {asset.licence})", err=True)

    def planned(self, plan: Plan) -> None:
        """The preview, and what an open cluster means."""
        print_preview(plan)
        if self._open_cluster:
            who = "everybody who can reach it may run code on it, and read what the sweep reads"
            click.echo(f"open cluster  {who}", err=True)

    def began(self, state: SweepState) -> None:
        """From now on events are shown."""
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
        click.echo(f"{subject:13} {text}", err=True)


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

    def __init__(self, state: SweepState, console: Console) -> None:
        self._state = state
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
        title = Text(totals(sweep_status(self._state, Path())))
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
        on = "" if record.get("dev_examples") is None else f" (on {record['dev_examples']} of dev)"
        score = f"score {record['score']:.4f}{on}  best {record['best_score']:.4f}  loss {record['train_loss']:.4f}"
        end = f"  finished{', ' + trial.reason if trial.reason else ''}" if record.get("last") else ""
        return f"{data['trial']}  epoch {record['epoch']:.4g}/{total}  {score}{end}"
    if event.kind == "decision" and data["action"] == "stop":
        what = "given up" if state.trials[data["trial"]].given_up else f"{_VERBS['stop']} at epoch {data['rung']:.4g}"
        return f"{data['trial']}  {what}: {data.get('reason', '')}{_compared(data)}"
    if event.kind == "ended":
        return f"{data['trial']}  {data['status']}: {data.get('reason', '')}"
    if event.kind == "limit":
        used, limit = _quantity(data["axis"], data["used"]), _quantity(data["axis"], data["limit"])
        return f"limit reached: {data['axis']} {used} of {limit}; nothing more is started"
    return None


def _compared(data: Mapping[str, Any]) -> str:
    """The numbers behind a decision, as far as they are on record."""
    if data.get("value") is None or data.get("seeds") is None:
        return ""
    parts = [f"mean {data['value']:.4f} over {data['seeds']} seed{'s' * (data['seeds'] > 1)}"]
    parts += [f"cutoff {data['cutoff']:.4f}"] if data.get("cutoff") is not None else []
    parts += [f"noise of a difference {data['noise']:.4f}"] if data.get("noise") is not None else []
    return f" ({', '.join(parts)})"


def totals(where: SweepStatus) -> str:
    """`11/16 trials · 4 stopped early · 58 epochs · best 0.978 (c003-i0-o0) · 1m 12s of 5m 00s`."""
    counts = {**where.trials, "given_up": where.given_up, "stopped": where.trials.get("stopped", 0) - where.given_up}
    total = sum(where.trials.values())
    ended = sum(where.trials.get(status, 0) for status in ENDED)
    parts = [f"{ended}/{total} trials"]
    shown = (("stopped", "stopped early"), ("given_up", "given up"), ("failed", "failed"), ("paused", "waiting"))
    for status, words in shown:
        parts += [f"{counts[status]} {words}"] if counts.get(status) else []
    parts.append(f"{where.used.get('epochs') or 0:g} epochs")
    parts += [f"best {where.best.score:.4f} ({where.best.trial})"] if where.best is not None else []
    elapsed, limit = format_duration(where.elapsed_s), where.limits.get("wall_s")
    parts.append(elapsed if limit is None else f"{elapsed} of {format_duration(limit)}")
    return " · ".join(parts)


def _cells(trial: TrialState) -> tuple[Any, ...]:
    training = trial.spec.settings.training
    epochs, per_epoch = training.epochs, training.reports_per_epoch
    if not trial.records:
        held = format_duration(max(0.0, time.time() - trial.last_seen))
        return (trial.spec.trial, f"{1 / per_epoch:.4g}/{epochs}", "", "", "", held)
    record = trial.records[trial.epoch]
    under_way = f"{min(trial.epoch + 1 / per_epoch, epochs):.4g}/{epochs}"
    on = "" if record.dev_examples is None else f" ({record.dev_examples})"
    numbers = (f"{record.score:.4f}{on}", f"{record.best_score:.4f}", f"{record.train_loss:.4f}")
    return (trial.spec.trial, under_way, *numbers, format_duration(max(0.0, time.time() - trial.last_seen)))


def _quantity(axis: str, value: float | None) -> str:
    return format_quantity(value, AXES[axis].unit)
