"""A running sweep as a terminal shows it: progress and budgets as bars, running trials as a table, ended ones as lines.

Colours repeat what words say: green is finished or best, yellow stopped or nearly used up, red failed or used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from greenexp.cli.sweeps.lines import ending, expected_end, quantity, totals, whole_seconds
from greenexp.journal.state import SweepState, TrialState
from greenexp.sources.status import SweepStatus

NEARLY, FULL = 0.75, 1.0
"""Shares of a limit from which its bar has another colour."""
WIDE = 120
"""Columns from which a trial's searched values are shown, too."""
FEWEST_ROWS = 3
GOES_ON = " ..."
"""At the end of a phase that is waited for; beside it something moves."""
COLOURS = {"finished": "green", "stopped": "yellow", "given up": "yellow", "failed": "bold red"}


@dataclass(frozen=True, slots=True)
class SweepView:
    """One look at a sweep, drawn into whatever room the terminal has.

    state, where: the sweep and its status; now: time in seconds since 1970; phase: what goes on besides training, ""
    for nothing; live: whether a driver is at work, so that its time goes on
    """

    state: SweepState
    where: SweepStatus
    now: float
    phase: str = ""
    live: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, console.height
        above = Group(*self._above(width))
        taken = len(console.render_lines(above, options.update(height=None), pad=False))
        yield above
        rows = max(FEWEST_ROWS, height - taken - 2)  # its header, and the line the cursor is in
        table = self._table(width, rows)
        if table is not None:
            yield table

    def _above(self, width: int) -> Iterator[RenderableType]:
        name = self.where.name or ""
        yield Text()
        yield Text.assemble((name, "bold"), "  ", totals(self.where, time=False))
        yield self._bars(width)
        if self.phase and not self.phase.endswith(GOES_ON):
            yield Text(self.phase, style="bold")
        elif self.phase:
            yield Spinner("line", Text(self.phase, style="bold"))

    def _bars(self, width: int) -> Table:
        """Progress, then each axis that has a limit: a name, a bar, its percentage, and the amounts."""
        since = max(0.0, self.now - self.where.last_event) if self.live and self.where.last_event else 0.0
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(width=max(10, width // 5))
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column()
        share = self.where.forecast.share
        elapsed = whole_seconds(self.where.elapsed_s + since)
        parts = [elapsed, expected_end(self.where, since) if self.live else ""]
        grid.add_row("progress", _bar(share, "green"), _percent(share), ", ".join(part for part in parts if part))
        for axis, limit in self.where.limits.items():
            used = self.where.used.get(axis)
            if axis == "wall_s" and used is not None:
                used += since
            grid.add_row(axis, *_budget(axis, used, limit, self.where.reserved.get(axis)))
        return grid

    def _table(self, width: int, rows: int) -> Table | None:
        """The trials that are running, as many as there is room for."""
        running = [trial for trial in list(self.state.trials.values()) if trial.status == "running"]
        if not running or not self.live:  # without a driver, nothing runs that is said to
            return None
        shown = running if len(running) <= rows else running[: rows - 1]
        searched = list(shown[0].spec.searched) if width >= WIDE else []
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("trial", "epoch", "score", "best", "train loss", "since report"):
            table.add_column(heading, justify="left" if heading == "trial" else "right", no_wrap=True)
        for path in searched:
            table.add_column(path.removeprefix("training."), justify="right", no_wrap=True, overflow="ellipsis")
        best = self.where.best.trial if self.where.best is not None else ""
        for trial in shown:
            values = [_value(trial.spec.searched.get(path)) for path in searched]
            style = "green" if trial.spec.trial == best else ""
            table.add_row(*_cells(trial, self.now), *values, style=style)
        if len(shown) < len(running):
            table.add_row(f"and {len(running) - len(shown)} more")
        return table


def ended_line(trial: TrialState, *, names: Sequence[str] = (), best: bool = False) -> Table:
    """A line that stays: the trial's name, its score, its epochs, how it ended and why.

    names: of the sweep's trials, for the width of the column; best: its score is the best so far, which is said
    """
    what, why = ending(trial)
    name, total = trial.spec.trial, trial.spec.settings.training.epochs
    style = COLOURS.get(what, "")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=max(map(len, (*names, name))))
    grid.add_column(no_wrap=True, min_width=6, justify="right")
    grid.add_column(no_wrap=True, min_width=len("10/10 epochs"), justify="right")
    grid.add_column(no_wrap=True, min_width=len("finished"))
    grid.add_column()
    score = "-" if trial.score is None else f"{trial.score:.4f}"
    text = Text.assemble(*([("best so far", "bold green"), "  " if why else ""] if best else []), why)
    grid.add_row(Text(name, "bold"), score, f"{trial.epoch:.4g}/{total} epochs", Text(what, style), text)
    return grid


def ended_at(trial: TrialState) -> float:
    """When a trial ended: its last report, or the decision that stopped it while it waited."""
    return max([trial.last_seen, *(time for time, _ in trial.verdicts[-1:])])


def _bar(share: float | None, style: str) -> RenderableType:
    if share is None:
        return ""
    return ProgressBar(total=1.0, completed=min(1.0, share), complete_style=style, finished_style=style)


def _budget(axis: str, used: float | None, limit: float, reserved: float | None) -> tuple[RenderableType, str, str]:
    """Bar, percentage and amounts of one limit."""
    share = None if used is None or not limit else used / limit
    style = "green" if share is None or share < NEARLY else "yellow" if share < FULL else "red"
    held = f" (+ {quantity(axis, reserved)} reserved)" if reserved and axis != "wall_s" else ""
    word = ", used up" if share is not None and share >= FULL else ""
    spent = whole_seconds(used) if axis == "wall_s" and used is not None else quantity(axis, used)
    return _bar(share, style), _percent(share), f"{spent} of {quantity(axis, limit)}{held}{word}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _cells(trial: TrialState, now: float) -> tuple[str, ...]:
    training = trial.spec.settings.training
    epochs, per_epoch = training.epochs, training.reports_per_epoch
    held = whole_seconds(max(0.0, now - trial.last_seen))
    if not trial.records:
        return (trial.spec.trial, f"{1 / per_epoch:.4g}/{epochs}", "", "", "", held)
    record = trial.records[trial.epoch]
    under_way = f"{min(trial.epoch + 1 / per_epoch, epochs):.4g}/{epochs}"
    on = "" if record.dev_examples is None else f" ({record.dev_examples})"
    numbers = (f"{record.score:.4f}{on}", f"{record.best_score:.4f}", f"{record.train_loss:.4f}")
    return (trial.spec.trial, under_way, *numbers, held)


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
