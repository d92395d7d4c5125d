"""What a journal line says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.errors import JournalError
from greenexp.journal.kinds import KINDS, shape_of

NAME = "journal.jsonl"
"""Of the file."""
FORMAT = 2
"""Of the journals that are written."""
UNCHECKED_FORMAT = 1
"""Of the versions whose lines carry no checks; what an event holds is the same."""
OWN = frozenset({"n", "t", "kind", "check"})
"""Keys of a line that are not of the event's data."""
_LAST_TIME = 253_402_300_799.0
"""The end of the year 9999, seconds since 1970: what a calendar can show."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line. number: from 0, its place in the file; time: seconds since the epoch; data: JSON values only.

    checked: whether the line carries a check; no part of what happened
    """

    number: int
    time: float
    kind: str
    data: Mapping[str, Any]
    checked: bool = field(default=False, compare=False)

    @property
    def place(self) -> str:
        """Where it stands, for messages: `journal.jsonl:17`."""
        return f"{NAME}:{self.number + 1}"

    def to_line(self) -> str:
        """One line of JSON without its newline and check. NaN is refused: `null` says what was not measured."""
        body = {"n": self.number, "t": round(self.time, 6), "kind": self.kind, **self.data}
        return json.dumps(body, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def parse_line(line: str, number: int, source: str, *, checked: bool = False) -> Event:
    """The event of line `number` (from 0) of `source`, with all its fields of the types that its kind has.

    checked: whether the line carries a check, which is no field of the event
    JournalError says which line is damaged, and where in it.
    """
    place = f"{source}:{number + 1}"
    body = _json(line, place)
    if not isinstance(body, dict) or not {"n", "t", "kind"} <= body.keys():
        raise JournalError(f"{place}: the line is not a journal event")
    if type(body["n"]) is not int or body["n"] != number:
        raise JournalError(
            f"{place}: found event {_brief(body['n'])} where event {number} belongs: "
            "a line was lost, doubled or changed"
        )
    if type(body["t"]) not in {int, float} or not 0 <= body["t"] <= _LAST_TIME:
        raise JournalError(f"{place}: t: expected seconds since 1970, got {_brief(body['t'])}")
    kind = body["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise JournalError(f"{place}: unknown event {_brief(kind)}: was it written by a newer greenexp?")
    number, time = body.pop("n"), body.pop("t")
    del body["kind"]
    if checked:
        del body["check"]
    if kind == "sweep" and body.get("format", FORMAT) not in (UNCHECKED_FORMAT, FORMAT):
        raise JournalError(f"{place}: journal format {_brief(body['format'])} is not format {FORMAT} of this greenexp")
    problem = shape_of(kind).problem(body)
    if problem is not None:
        raise JournalError(f"{place}: event '{kind}': {problem}")
    return Event(number, time, kind, body, checked)


def _json(line: str, place: str) -> Any:
    try:
        value = json.loads(line, parse_constant=_refuse)
        return _as_unicode(value) if "\\ud" in line.lower() else value
    except json.JSONDecodeError as error:
        raise JournalError(f"{place}: the line is not JSON ({error.msg} at column {error.colno})") from error
    except ValueError as error:
        raise JournalError(f"{place}: the line is not JSON ({_brief(str(error))})") from error
    except RecursionError as error:
        raise JournalError(f"{place}: the line is no event: it is nested too deeply") from error


def _as_unicode(value: Any) -> Any:
    """The value with an escape in the place of what is not Unicode, as in a file name that is not UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_as_unicode(one) for one in value]
    return {_as_unicode(key): _as_unicode(one) for key, one in value.items()} if isinstance(value, dict) else value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
