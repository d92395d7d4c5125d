"""What a journal line says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.errors import JournalError

FORMAT = 1

KINDS: Mapping[str, str] = {
    "sweep": "first line: journal format, sweep name, resolved sweep file, its fingerprint; whether its plan is open",
    "earlier": "configurations of other sweeps that the search is told of before it proposes anything",
    "proposal": "the search proposed one more configuration of an open plan: its number, name, values, "
    "and what the search must be told of it later",
    "search_done": "the search proposes no further configuration",
    "trial": "one planned trial (TrialSpec); a later line for the same trial replaces it",
    "session": "a driver began: its number, versions, machine, what can be measured and what not",
    "started": "a trial got a worker: attempt, the epochs after which it continues (0 = from the start)",
    "report": "a trial was evaluated, after an epoch or within one (EpochRecord)",
    "decision": "the scheduler's verdict on a trial",
    "paused": "a trial left its worker; where its checkpoint is",
    "saved": "a trial that trains on was saved: epochs trained, its checkpoint, what was spent since its last report",
    "ended": "a trial will not train again, or its attempt broke off: status, reason, what no report covers",
    "held_out": "a chosen trial was evaluated on the test set (HeldOutRecord)",
    "replay": "exit policies added to the record, to be replayed from the stored logits",
    "limit": "a budget limit was reached: axis, used, limit",
    "closed": "a driver ended in good order: status finished, limit or interrupted",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line. number: from 0, its place in the file; time: seconds since the epoch; data: JSON values only."""

    number: int
    time: float
    kind: str
    data: Mapping[str, Any]

    def to_line(self) -> str:
        """One line of JSON without its newline. NaN is refused: `null` says what was not measured."""
        body = {"n": self.number, "t": round(self.time, 6), "kind": self.kind, **self.data}
        return json.dumps(body, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def parse_line(line: str, number: int, source: str) -> Event:
    """The event of line `number` (from 0) of `source`; JournalError says which line is damaged and how."""
    place = f"{source}:{number + 1}"
    try:
        body = json.loads(line)
    except json.JSONDecodeError as error:
        raise JournalError(f"{place}: the line is not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(body, dict) or not {"n", "t", "kind"} <= body.keys():
        raise JournalError(f"{place}: the line is not a journal event")
    if body["n"] != number:
        raise JournalError(f"{place}: found event {body['n']} where event {number} belongs: a line was lost or doubled")
    if body["kind"] not in KINDS:
        raise JournalError(f"{place}: unknown event '{body['kind']}': was it written by a newer greenexp?")
    return Event(body.pop("n"), body.pop("t"), body.pop("kind"), body)
