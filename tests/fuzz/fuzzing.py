"""Changed inputs by the thousand: `PYTHONPATH=tests:tests/fuzz python -m fuzzing --inputs 10000 --seed 1`.

Prints a row per kind: inputs, refused with a clear error, accepted, tracebacks and hangs; then each different traceback
once, with the number of an input that causes it. `--only KIND --first NUMBER --inputs 1` gives that one input again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from fuzzed_kinds import Make, kinds

from greenexp.errors import GreenexpError

LIMIT_S = 10
"""Of CPU time, so that a busy machine is no hang; of any time, three times as much."""


class HangError(BaseException):
    """No answer in time; no Exception, so that nobody takes it for a failure of a library."""


@dataclass
class Tally:
    """Outcomes of one kind. found: what went wrong -> the number of the first input with it."""

    refused: int = 0
    accepted: int = 0
    tracebacks: int = 0
    hangs: int = 0
    found: dict[str, int] = field(default_factory=dict)

    @property
    def row(self) -> tuple[int, ...]:
        """Inputs, refused, accepted, tracebacks, hangs."""
        counts = (self.refused, self.accepted, self.tracebacks, self.hangs)
        return (sum(counts), *counts)


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """HangError in what takes longer; in the main thread alone."""

    def ring(*_: object) -> None:
        raise HangError

    timers = {signal.SIGALRM: (signal.ITIMER_REAL, 3 * seconds), signal.SIGPROF: (signal.ITIMER_PROF, seconds)}
    before = {number: signal.signal(number, ring) for number in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def try_inputs(name: str, make: Make, seed: int, numbers: range, tally: Tally) -> None:
    """Give the inputs with these numbers to their reader, and count what comes of it."""
    for number in numbers:
        draw = random.Random(f"{seed} {name} {number}")
        try:
            with alarm(LIMIT_S), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                make(draw)()
            tally.accepted += 1
        except GreenexpError as error:
            tally.refused += 1
            if not str(error).strip():
                tally.found.setdefault("an error without words", number)
        except HangError:
            tally.hangs += 1
            tally.found.setdefault(f"no answer within {LIMIT_S} s", number)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a library written in Rust panics with a BaseException
            tally.tracebacks += 1
            tally.found.setdefault(_cause(error), number)


def _cause(error: BaseException) -> str:
    """Where in our code it arose, and what it was."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if f"{os.sep}greenexp{os.sep}" in frame.filename
    ]
    at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
    return f"{at} {type(error).__name__}: {str(error)[:100]}"


def fuzz(inputs: int, seed: int, first: int = 0, only: str | None = None) -> dict[str, Tally]:
    """Tallies by kind of `inputs` inputs in all, from number `first` of each kind on."""
    with tempfile.TemporaryDirectory(prefix="greenexp-fuzz-") as folder:
        made = {name: make for name, make in kinds(Path(folder)).items() if only in (None, name)}
        tallies = {name: Tally() for name in made}
        each = -(-inputs // len(made))
        for name, make in made.items():
            try_inputs(name, make, seed, range(first, first + each), tallies[name])
    return tallies


def main() -> None:
    """Read the arguments, try the inputs, print the table; exit code 1 if anything but clear errors came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only")
    options = parser.parse_args()
    tallies = fuzz(options.inputs, options.seed, options.first, options.only)
    click.echo(f"{'kind':18} {'inputs':>8} {'refused':>8} {'accepted':>8} {'tracebacks':>10} {'hangs':>6}")
    for name, tally in tallies.items():
        click.echo(f"{name:18} {tally.row[0]:8} {tally.row[1]:8} {tally.row[2]:8} {tally.row[3]:10} {tally.row[4]:6}")
    for name, tally in tallies.items():
        for cause, number in tally.found.items():
            click.echo(f"{name} {number}: {cause}")
    raise SystemExit(any(tally.found for tally in tallies.values()))


if __name__ == "__main__":
    main()
