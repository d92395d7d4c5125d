"""How far the expected end of recorded sweeps was from their real end: `python benchmarks/forecast_error.py FOLDER...`.

Each journal is replayed; after each of its reports the forecast is asked for, as a terminal would. Printed for each
sweep, as parts of its whole elapsed time, over all reports with a forecast: the mean absolute error of the expected
end, the same in each third of its length, how often the range held the end, and the error of two simple rules:

    rate        the epochs that unfinished trials have left, at the mean rate so far
    price       the price in seconds, less what has elapsed

--price SECONDS gives every journal a price of that many seconds (range: half to twice), in place of its own;
--price-of FOLDER one of as many seconds as that sweep took.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import textwrap
from collections.abc import Iterator
from pathlib import Path

from greenexp.journal.events import Event
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState
from greenexp.records.priced import PRICE, recorded_price
from greenexp.sources.folders import JOURNAL
from greenexp.sources.forecast import forecast


@dataclasses.dataclass(frozen=True)
class ForecastThen:
    """After a report: elapsed seconds, and the elapsed seconds at which the end was expected by each rule."""

    elapsed_s: float
    end_s: float | None
    low_s: float | None
    high_s: float | None
    by_rate_s: float
    by_price_s: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=textwrap.dedent(__doc__ or ""))
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--price", type=float, metavar="SECONDS")
    parser.add_argument("--price-of", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    seconds = asked.price if asked.price_of is None else SweepState(read_events(asked.price_of / JOURNAL)).elapsed_s
    print("| sweep | reports | error | first third | second | last | range held | rate | price |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    rows = [row_of(folder, seconds) for folder in asked.folders]
    for name, cells in rows:
        print(f"| {name} | {' | '.join(text(cell) for cell in cells)} |")
    means = [
        mean([cell for cell in column if cell is not None])
        for column in zip(*(cells for _, cells in rows), strict=True)
    ]
    print(f"| mean | {' | '.join(text(cell) for cell in means)} |")


def row_of(folder: Path, price_s: float | None) -> tuple[str, list[float | None]]:
    events = [priced(event, price_s) for event in read_events(folder / JOURNAL)]
    whole = SweepState(events)
    looks, end = list(looks_at(events)), whole.elapsed_s
    told = [look for look in looks if look.end_s is not None]
    thirds = [[look for look in told if k / 3 <= look.elapsed_s / end < (k + 1) / 3] for k in range(3)]
    held = [look.low_s <= end <= look.high_s for look in told if look.low_s is not None and look.high_s is not None]
    return folder.name, [
        float(len(looks)),
        error([look.end_s for look in told], end),
        *(error([look.end_s for look in third], end) for third in thirds),
        mean([float(each) for each in held]),
        error([look.by_rate_s for look in looks], end),
        error([look.by_price_s for look in looks], end),
    ]


def looks_at(events: list[Event]) -> Iterator[ForecastThen]:
    """A look after every report but those of a sweep that is through."""
    state = SweepState()
    for event in events:
        state.apply(event)
        if event.kind != "report" or state.complete:
            continue
        found, elapsed = forecast(state), state.elapsed_s
        price = recorded_price(session.data for session in state.sessions).get("wall_s")
        left = sum(
            max(0.0, trial.spec.settings.training.epochs - trial.epoch)
            for trial in state.trials.values()
            if not trial.ended
        )
        ends = [None if part is None else elapsed + part for part in (found.remaining_s, found.low_s, found.high_s)]
        by_rate = elapsed * (1 + left / max(1.0, float(state.epochs_run)))
        yield ForecastThen(elapsed, *ends, by_rate, None if price is None else max(elapsed, price["expected"]))


def priced(event: Event, seconds: float | None) -> Event:
    """A session with that price in seconds, beside what else is priced."""
    if seconds is None or event.kind != "session":
        return event
    own = {"low": seconds / 2, "expected": seconds, "high": 2 * seconds, "source": "given"}
    return dataclasses.replace(event, data={**event.data, PRICE: {**(event.data.get(PRICE) or {}), "wall_s": own}})


def error(ends: list[float | None], end: float) -> float | None:
    """Mean absolute error as a part of the whole."""
    return mean([abs(each - end) / end for each in ends if each is not None])


def mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def text(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value > 3 else f"{value:.3f}"


if __name__ == "__main__":
    main()
