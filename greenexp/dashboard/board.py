"""The sweeps that a dashboard shows: found in folders and at MLflow addresses, read when they are asked for.

A sweep has a key (what a URL calls it) and a stamp, which is another one as soon as there is something new to show.
Tables are kept until the stamp changes, those of the sweeps looked at last. Nothing is written but the snapshot of an
MLflow address, in the user's cache.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.api.sweeps import Sweep
from greenexp.errors import GreenexpError, InputError, UnknownNameError
from greenexp.extras import require
from greenexp.sources.folders import DEFAULT, JOURNAL, sweeps_within
from greenexp.sources.status import SweepStatus, read_state, sweep_status

if TYPE_CHECKING:
    from greenexp.sources.snapshots import Snapshot

KEPT = 6
"""Sweeps whose tables are kept in memory."""
LOOKED_AFTER_S = 1.0
"""How old a list of the sweeps in folders may be."""
ASKED_AFTER_S = 5.0
"""How old a snapshot of an MLflow address may be."""
_ID = 8


@dataclass(frozen=True)
class BoardEntry:
    """A sweep on the board.

    key: what URLs call it; source: its folder, or an MLflow address; sweep: its id at the address, "" in a folder
    stamp: changes with what is on record; facts: what the list of sweeps says of it, without reading it
    """

    key: str
    source: str
    stamp: str
    sweep: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Board:
    """The sweeps in `sources`, each a sweep's folder, a folder of sweeps, or an MLflow address.

    InputError for a source that is neither, when the board is made; what appears later is found by itself. Used from
    several threads.
    """

    def __init__(self, sources: Sequence[str] = ()) -> None:
        self.sources = tuple(sources) or (str(DEFAULT),)
        self._addresses = [source for source in self.sources if _is_address(source)]
        self._folders = [Path(source) for source in self.sources if not _is_address(source)]
        for folder in self._folders if sources else ():
            if not folder.is_dir():
                raise InputError(f"there is no folder {folder}")
        self._lock = threading.Lock()
        self._opened: OrderedDict[str, tuple[str, Sweep]] = OrderedDict()
        self._list = _Aged(self._in_folders, LOOKED_AFTER_S)
        self._snapshots = {uri: _Aged(partial(_snapshot, uri), ASKED_AFTER_S) for uri in self._addresses}
        self._states: dict[str, tuple[str, dict[str, Any]]] = {}

    def entries(self) -> list[BoardEntry]:
        """All sweeps there are now, those of folders first, the newest first; what cannot be read is in `problems`."""
        return _with_keys([*(self._list.get() or ()), *(entry for uri in self._addresses for entry in self._at(uri))])

    @property
    def problems(self) -> list[str]:
        """What cannot be read now, a sentence each."""
        return [aged.problem for aged in (self._list, *self._snapshots.values()) if aged.problem]

    def entry(self, key: str) -> BoardEntry:
        """The sweep of that key, "" for the first one. UnknownNameError if there is none."""
        entries = self.entries()
        for entry in entries:
            if key in ("", entry.key):
                return entry
        raise UnknownNameError("sweep", key or "(any)", [entry.key for entry in entries])

    def open(self, key: str) -> Sweep:
        """The sweep of that key, with what was read of it before if its stamp is still the same."""
        entry = self.entry(key)
        with self._lock:
            kept = self._opened.get(entry.key)
            if kept is not None and kept[0] == entry.stamp:
                self._opened.move_to_end(entry.key)
                return kept[1]
            sweep = Sweep(entry.source, sweep=entry.sweep or None)
            self._opened[entry.key] = (entry.stamp, sweep)
            while len(self._opened) > KEPT:
                self._opened.popitem(last=False)
            return sweep

    def statuses(self) -> Iterator[SweepStatus]:
        """The status of every sweep in a folder that can be read."""
        for entry in self._list.get() or ():
            with suppress(GreenexpError):
                yield Sweep(entry.source).status

    def _in_folders(self) -> list[BoardEntry]:
        folders: dict[Path, None] = {}
        for given in self._folders:
            whole = [given] if (given / JOURNAL).is_file() else sweeps_within(given)
            folders.update(dict.fromkeys(whole))
        return [entry for folder in folders for entry in self._of_folder(folder)]

    def _of_folder(self, folder: Path) -> Iterable[BoardEntry]:
        try:
            stat = (folder / JOURNAL).stat()
        except OSError:  # it was moved away meanwhile
            return
        stamp = f"{stat.st_size}-{stat.st_mtime_ns}"
        known = self._states.get(str(folder))
        if known is None or known[0] != stamp:
            self._states[str(folder)] = known = (stamp, _facts(folder))
        yield BoardEntry(folder.resolve().name, str(folder), stamp, facts=known[1])

    def _at(self, uri: str) -> Iterable[BoardEntry]:
        found = self._snapshots[uri].get()
        if found is None:
            return
        for row in found.sweeps.sort_values("start_s", ascending=False).to_dict("records"):
            facts = {name: row[name] for name in ("name", "experiment", "trials", "best", "metric", "start_s")}
            facts |= {"state": row["status"], "finished": row["finished"], "stopped": row["stopped"]}
            facts |= {"failed": row["failed"], "running": row["running"]}
            stamp = "-".join(str(row[name]) for name in ("status", "finished", "stopped", "failed", "running", "end_s"))
            own = str(row["sweep"])  # a part of it is in the key: at an address many sweeps have one name
            yield BoardEntry(f"{row['name']}.{own[:_ID]}", f"{uri}#{row['experiment']}", stamp, own, facts)


class _Aged:
    """What `read` last returned, read again when it is older than `seconds`; an error keeps what was there before."""

    def __init__(self, read: Callable[[], Any], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._at, self._value, self._lock = -float("inf"), None, threading.Lock()
        self.problem = ""

    def get(self) -> Any:
        with self._lock:
            if time.monotonic() - self._at > self._seconds:
                try:
                    self._value, self.problem = self._read(), ""
                except GreenexpError as error:
                    self.problem = str(error)
                self._at = time.monotonic()
            return self._value


def _snapshot(uri: str) -> Snapshot:
    require("mlflow")
    from greenexp.sources.snapshots import snapshot

    return snapshot(uri)


def _facts(folder: Path) -> dict[str, Any]:
    """What the list says of a sweep in a folder; the reason where it cannot be read."""
    try:
        state = read_state(folder)
        status = sweep_status(state, folder)
    except GreenexpError as error:
        return {"name": folder.name, "state": "not readable", "problem": str(error)}
    counts = dict(status.trials)
    return {
        "name": status.name or folder.name,
        "state": status.state.partition(":")[0],
        "trials": sum(counts.values()),
        "finished": counts.get("finished", 0),
        "stopped": counts.get("stopped", 0),
        "failed": counts.get("failed", 0),
        "running": counts.get("running", 0),
        "best": None if status.best is None else status.best.score,
        "metric": state.spec.metric.name if state.header else "",
        "start_s": state.began if state.header else None,
    }


def _with_keys(entries: Iterable[BoardEntry]) -> list[BoardEntry]:
    """Each with a key of its own: where several have one name, the later ones have a number after it."""
    used: dict[str, int] = {}
    keyed = []
    for entry in entries:
        used[entry.key] = number = used.get(entry.key, 0) + 1
        key = entry.key if number == 1 else f"{entry.key}-{number}"
        keyed.append(entry if number == 1 else BoardEntry(key, entry.source, entry.stamp, entry.sweep, entry.facts))
    return keyed


def _is_address(source: str) -> bool:
    return ("://" in source or "#" in source) and not Path(source).is_dir()
