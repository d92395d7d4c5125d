"""Joules per example of each contestant, what the machine draws anyway subtracted; or why they were not measured.

Each contestant answers the requests round after round for a window of seconds. Before the first and after the last
window the machine is left idle for as long. Idle power must then be known and steady: energy above idle is the
difference of two readings, and means nothing where the smaller of them is not sure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol as Interface

import torch

from greenexp.inference.bench.protocol import Contestant, Request, Stopwatch
from greenexp.meters.measure import MeterReading

STEADY = 0.1
"""Idle power before and after may differ by this part of the larger."""


class Meter(Interface):
    """The part of `greenexp.meters.Meters` that is used here."""

    def start(self) -> None:
        """Begin a window."""

    def keep_up(self) -> None:
        """Call it often within a window."""

    def read(self) -> MeterReading:
        """End the window and begin the next."""


@dataclass(frozen=True, slots=True)
class AnswerWindow:
    """Seconds for which a contestant answered, and how many examples it answered in them."""

    wall_s: float
    examples: int


@dataclass(frozen=True, slots=True)
class Energy:
    """What was measured, or why nothing was.

    joules: contestant -> energy above idle per example; windows: contestant -> what it did in its window
    idle_w: power of the idle machine, None if not measured
    why_not: reason if `joules` is empty, else what the counters left out or could not tell, or an empty string
    """

    joules: Mapping[str, float] = field(default_factory=dict)
    windows: Mapping[str, AnswerWindow] = field(default_factory=dict)
    idle_w: float | None = None
    why_not: str = ""


def measure_energy(
    contestants: Sequence[Contestant],
    requests: Sequence[Request],
    meter: Meter,
    stopwatch: Stopwatch,
    idle: Callable[[float], None],
    window_s: float = 5.0,
) -> Energy:
    """Energy of each contestant over a window of at least `window_s`; idle(seconds) must leave the machine alone.

    joules = (energy of the window - idle power x its seconds) / examples answered in it; not told where it is no more
    than what the difference of idle power before and after makes of it.
    """
    before = _window(meter, lambda: idle(window_s))
    if before.costs.energy_j is None:
        return Energy(why_not=before.not_measured.get("energy_j", "no energy counter"))
    windows = {one.name: _rounds(one, requests, meter, stopwatch, window_s) for one in contestants}
    after = _window(meter, lambda: idle(window_s))
    missing = [m for m in (after, *(measured for measured, _ in windows.values())) if m.costs.energy_j is None]
    if missing:
        return Energy(why_not=missing[0].not_measured.get("energy_j", "no energy counter"))
    idle_w = [_joules(measured) / measured.costs.wall_s for measured in (before, after)]
    if max(idle_w) - min(idle_w) > STEADY * max(idle_w):
        return Energy(why_not=f"idle power was not steady: {idle_w[0]:.1f} W before, {idle_w[1]:.1f} W after")
    power = sum(idle_w) / 2
    spread = max(idle_w) - min(idle_w)
    joules = {
        name: (_joules(measured) - power * measured.costs.wall_s) / examples
        for name, (measured, examples) in windows.items()
        if _joules(measured) - power * measured.costs.wall_s > spread * measured.costs.wall_s
    }
    gaps = [f"{what.partition('.')[2]}: {why}" for what, why in before.not_measured.items() if "." in what]
    gaps += [f"{name}: no more than idle power, which differed by {spread:.2g} W" for name in windows.keys() - joules]
    answered = {name: AnswerWindow(measured.costs.wall_s, examples) for name, (measured, examples) in windows.items()}
    return Energy(joules, answered, power, "; ".join(gaps))


def _joules(measured: MeterReading) -> float:
    return measured.costs.energy_j or 0.0


def _window(meter: Meter, work: Callable[[], object]) -> MeterReading:
    meter.start()
    work()
    return meter.read()


def _rounds(
    contestant: Contestant, requests: Sequence[Request], meter: Meter, stopwatch: Stopwatch, window_s: float
) -> tuple[MeterReading, int]:
    """What the window cost, and how many examples were answered in it."""
    examples = 0

    def work() -> None:
        nonlocal examples
        begin = stopwatch.now()
        with torch.inference_mode():
            while stopwatch.now() - begin < window_s:
                for request in requests:
                    contestant.answer(request)
                    stopwatch.synchronise()
                    meter.keep_up()
                    examples += len(request)

    return _window(meter, work), examples
