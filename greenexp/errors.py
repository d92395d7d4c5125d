"""Everything greenexp raises on purpose.

* GreenexpError
  x InputError                 what the user wrote cannot be run (exit code 2)
    - SweepFileError           problems in a sweep file, all of them, each with its place
    - UnknownNameError         a name no registry knows
    - FieldError               a field of the sweep does not fit the data, the model or the machine
    - MissingExtraError        a package is needed that comes with an extra, which is not installed
    - AssetError               a named corpus or checkpoint cannot be had or kept on this machine
  x StateError                 what lies on disk cannot be trusted or written
    - JournalError             the journal is damaged, locked by another run, or cannot be written
    - ReplayError              replaying the journal does not reproduce a recorded decision
    - CheckpointError          a checkpoint is incomplete or belongs to another trial
  x TrialError                 one trial failed; the sweep goes on
    - DivergedError            a loss or a weight became NaN or infinite
  x LostProcessError           another process of a trial is gone: the attempt is over, as if this one had died
    - SharedFaultError         a fault on a GPU that ends all its clients of NVIDIA's MPS
  x TrackingError              MLflow could not be read or written
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class GreenexpError(Exception):
    """Base of all errors greenexp raises on purpose; its text is fit for a user.

    >>> import greenexp
    >>> try:
    ...     greenexp.plan("smoke", set={"training.epochs": 0})
    ... except greenexp.GreenexpError as error:
    ...     print("training.epochs" in str(error))
    True
    """


class InputError(GreenexpError):
    """What the user wrote cannot be run."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a sweep file.

    `line` and `column` count from 1; both are None for a value that did not come from a file (a default, `--set`).
    `path` is dotted (`space.training.learning_rate.low`), `source` the file's name or e.g. `--set`.
    """

    path: str
    message: str
    source: str = "sweep"
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}:{self.column}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SweepFileError(InputError):
    """A sweep file has problems; `problems` holds all of them in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            sorted(problems, key=lambda p: (p.source, p.line or 0, p.column or 0, p.path))
        )
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[SweepFileError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class FieldError(InputError):
    """A field's value does not fit what it names; `path` is dotted, `reason` says why."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")

    def __reduce__(self) -> tuple[type[FieldError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


@contextmanager
def about_field(path: str) -> Iterator[None]:
    """Name the field that an InputError is about; one that is about a field already gets `path` in front of its own."""
    try:
        yield
    except FieldError as error:
        raise FieldError(f"{path}.{error.path}", error.reason) from error
    except (SweepFileError, MissingExtraError):
        raise
    except InputError as error:
        raise FieldError(path, str(error)) from error


@contextmanager
def library_failures(of: Callable[[str], GreenexpError]) -> Iterator[None]:
    """What a library raises on a damaged file, as an error of ours with its reason; our own errors pass.

    A library in Rust panics with an exception that is no `Exception`; it is known by its name alone.
    """
    try:
        yield
    except GreenexpError:
        raise
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            text = str(error).strip()
            raise of(abridged(f"{type(error).__name__}: {text}" if text else type(error).__name__)) from error
        raise


def user_path(written: str) -> Path:
    """A path as the user wrote it, with `~` and `~name` as folders of users. InputError where nobody has that name."""
    try:
        return Path(written).expanduser()
    except RuntimeError:
        name = Path(written).parts[0]
        raise InputError(f"{written}: the folder of {name} is not known: expected ~, or a path without it") from None


class MissingExtraError(InputError):
    """A package is needed that comes with an extra of greenexp, and the extra is not installed."""


class UnknownNameError(InputError):
    """A name that is not in a registry."""

    def __init__(self, kind: str, name: str, known: Sequence[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"unknown {kind} '{name}'{did_you_mean(name, known)} (known: {', '.join(known) or 'none'})")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, tuple[str, ...]]]:
        return type(self), (self.kind, self.name, self.known)


class AssetError(InputError):
    """A named corpus or checkpoint cannot be had or kept on this machine; says what was tried and what to do."""


class StateError(GreenexpError):
    """What lies on disk cannot be trusted or written."""


class BrokenOffError(StateError):
    """Trouble of the machine ended a session, as a full disk does: the record is safe, and `--resume` goes on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}. What is in the journal is safe: go on with --resume")

    def __reduce__(self) -> tuple[type[BrokenOffError], tuple[str]]:
        return type(self), (self.reason,)


class JournalError(StateError):
    """The journal is damaged, locked by another run, or cannot be written."""


class ReplayError(StateError):
    """Replaying the journal does not reproduce a recorded decision."""


class CheckpointError(StateError):
    """A checkpoint is incomplete or belongs to another trial."""


class CalibrationError(GreenexpError):
    """The speed of a machine could not be measured; nothing else is kept from going on."""


class TrialError(GreenexpError):
    """One trial failed for a reason of its own; the sweep goes on."""


class NothingLeftError(TrialError):
    """A trial was asked for more reports than it has."""


class DivergedError(TrialError):
    """A loss or a weight became NaN or infinite at an optimiser step."""

    def __init__(self, quantity: str, value: float, step: int) -> None:
        self.quantity, self.value, self.step = quantity, value, step
        super().__init__(f"{quantity} became {value} at optimiser step {step}")

    def __reduce__(self) -> tuple[type[DivergedError], tuple[str, float, int]]:
        return type(self), (self.quantity, self.value, self.step)


class MemoryShortageError(TrialError):
    """A step or an evaluation needed more memory than there is.

    at_once: examples that were computed at once; told: what the allocator said, one line
    undivided: why fewer at once would not give the same numbers; empty if they would
    """

    def __init__(self, at_once: int, told: str, undivided: str) -> None:
        self.at_once, self.told, self.undivided = at_once, told, undivided
        super().__init__(f"out of memory with {at_once} example(s) computed at once: {told}")

    def __reduce__(self) -> tuple[type[MemoryShortageError], tuple[int, str, str]]:
        return type(self), (self.at_once, self.told, self.undivided)


class FusedMemoryError(TrialError):
    """Seeds that were trained as one model needed more memory than there is.

    seeds: how many they were; told: what the allocator said, one line
    """

    def __init__(self, seeds: int, told: str) -> None:
        self.seeds, self.told = seeds, told
        super().__init__(f"out of memory with {seeds} seeds trained as one model: {told}")

    def __reduce__(self) -> tuple[type[FusedMemoryError], tuple[int, str]]:
        return type(self), (self.seeds, self.told)


class LostProcessError(GreenexpError):
    """Another process that trains the same trial has died, or nothing is heard of it."""


class SharedFaultError(LostProcessError):
    """A fault on the trial's GPU, which it shares through MPS: its process can no longer use CUDA."""


class TrackingError(GreenexpError):
    """MLflow could not be read or written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' (did you mean 'x'?)' for the nearest of `known`, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


REASON_LENGTH, LOG_LENGTH = 2_000, 100_000
"""Characters of a reason that goes on record (journal, MLflow, report, terminal), and of one entry of a trial's log."""


def abridged(text: str, most: int = REASON_LENGTH) -> str:
    """`text`, or of one of more than `most` characters its beginning and its end, with how many were left out between.

    An exception may hold a whole tensor or response as text. What it is about stands at its beginning, what caused it
    often at its end. The result has at most `most` characters, which must be at least 100.
    """
    if len(text) <= most:
        return text
    kept = most - 60  # room for the note
    end = kept // 4
    return f"{text[: kept - end]} [... {len(text) - kept:,} characters left out ...] {text[len(text) - end :]}"
