"""Sentences about a sweep for the terminal: one per event, one of totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.journal.events import Event
from greenexp.journal.state import ENDED, SweepState, TrialState
from greenexp.records.axes import AXES
from greenexp.sources.status import SweepStatus
from greenexp.units import format_duration, format_quantity

_VERBS = {"stop": "stopped", "go_on": "goes on", "pause": "waits"}


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
    if event.kind == "shared_failure":
        return f"{data['device']}  a fault ended {', '.join(data['trials'])}: {data['reason']}"
    if event.kind == "limit":
        used, limit = quantity(data["axis"], data["used"]), quantity(data["axis"], data["limit"])
        return f"limit reached: {data['axis']} {used} of {limit}; nothing more is started"
    return None


def ending(trial: TrialState) -> tuple[str, str]:
    """How a trial ended, in a word or two, and why: `stopped`, `not within the best 1/3`."""
    if trial.given_up:
        return "given up", trial.reason or "stopped before it began"
    return trial.status, trial.reason


def totals(where: SweepStatus, *, time: bool = True) -> str:
    """`11/16 trials · 4 stopped early · 58 epochs · best 0.978 (c003-i0-o0) · 1m 12s of 5m 00s`; time: the last."""
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
    if time:
        parts.append(elapsed if limit is None else f"{elapsed} of {format_duration(limit)}")
    return " · ".join(parts)


def expected_end(where: SweepStatus, since_s: float = 0.0) -> str:
    """`about 33 s left (price: 25 s to 50 s)`, `since_s` seconds after the status; "" where nobody knows."""
    found = where.forecast
    if found.remaining_s is None or not found.source:
        return ""
    if found.remaining_s < since_s:
        return "later than expected"
    left = whole_seconds(found.remaining_s - since_s)
    if found.source == "price" and found.low_s is not None and found.high_s is not None:
        low, high = (whole_seconds(max(0.0, end - since_s)) for end in (found.low_s, found.high_s))
        return f"about {left} left (price: {low} to {high})"
    return f"at most {left} left (budget)" if found.source == "limit" else f"about {left} left (at this rate)"


def whole_seconds(seconds: float) -> str:
    """A duration without parts of seconds: a number that changes several times a second cannot be read."""
    return f"{seconds:.0f} s" if seconds < 59.5 else format_duration(seconds)


def quantity(axis: str, value: float | None) -> str:
    """An amount on a budget axis, with its unit."""
    return format_quantity(value, AXES[axis].unit)


def _compared(data: Mapping[str, Any]) -> str:
    """The numbers behind a decision, as far as they are on record."""
    if data.get("value") is None or data.get("seeds") is None:
        return ""
    parts = [f"mean {data['value']:.4f} over {data['seeds']} seed{'s' * (data['seeds'] > 1)}"]
    parts += [f"cutoff {data['cutoff']:.4f}"] if data.get("cutoff") is not None else []
    parts += [f"noise of a difference {data['noise']:.4f}"] if data.get("noise") is not None else []
    return f" ({', '.join(parts)})"
