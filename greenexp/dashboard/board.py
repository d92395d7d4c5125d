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
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.api.sweeps import Sweep
from greenexp.dashboard.watched import WatchedFolders
from greenexp.errors import GreenexpError, InputError, UnknownNameError
from greenexp.extras import require
from greenexp.records.addresses import without_password
from greenexp.sources.folders import DEFAULT, JOURNAL, sweeps_within
from greenexp.sources.status import SweepStatus

if TYPE_CHECKING:
    from greenexp.sources.snapshots import Snapshot

KEPT = 6
"""Sweeps whose tables are kept in memory."""
LOOKED_AFTER_S = 1.0
"""How old a list of the sweeps in folders may be."""
ASKED_AFTER_S = 5.0
"""How old a snapshot of an MLflow address may be."""
PATIENCE_S = 3.0
"""How long a page waits for an MLflow address. Of 100,000 runs a server needs minutes for the first reading."""
_ID = 8
_STAMPED = ("status", "finished", "stopped", "failed", "running", "reported_s", "end_s")
"""Of a sweep in an MLflow: there is something new to show when one of them has changed."""


@dataclass(frozen=True)
class BoardEntry:
    """A sweep on the board.

    key: what URLs call it; source: its folder, or an MLflow address without a password in it
    stamp: changes with what is on record; sweep: its id at the address, "" in a folder
    facts: what the list of sweeps says of it, without reading it
    opened: the address with its password, which is for reading alone; "" in a folder
    """

    key: str
    source: str
    stamp: str
    sweep: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    opened: str = field(default="", repr=False)


class Board:
    """The sweeps in `sources`, each a sweep's folder, a folder of sweeps, or an MLflow address.

    InputError for a source that is neither, when the board is made; what appears later is found by itself. Used from
    several threads. `sources` are as they may be told, without passwords.
    """

    def __init__(self, sources: Sequence[str] = ()) -> None:
        given = tuple(sources) or (str(DEFAULT),)
        self.sources = tuple(_without_password(source) if _is_address(source) else source for source in given)
        self._addresses = [source for source in given if _is_address(source)]
        self._folders = [Path(source) for source in given if not _is_address(source)]
        self._were_there: set[Path] = set()
        for folder in self._folders if sources else ():
            if not folder.is_dir():
                raise InputError(f"there is no folder {folder}")
        self._lock = threading.Lock()
        self._opened: OrderedDict[str, tuple[str, Sweep]] = OrderedDict()
        self._watched, self._keys = WatchedFolders(), _Keys()
        self._list = _Aged(self._in_folders, LOOKED_AFTER_S)
        self._snapshots = {
            uri: _Aged(partial(_snapshot, uri.partition("#")[0]), ASKED_AFTER_S, PATIENCE_S, _without_password(uri))
            for uri in self._addresses
        }

    def entries(self) -> list[BoardEntry]:
        """All sweeps there are now, those of folders first, the newest first; what cannot be read is in `problems`."""
        far = (entry for uri in self._addresses for entry in self._at(uri))
        return self._keys.given([*(self._list.get() or ()), *far])

    @property
    def problems(self) -> list[str]:
        """What cannot be read now, a sentence each."""
        gone = [folder for folder in self._folders if folder in self._were_there and not folder.is_dir()]
        return [
            *(f"there is no folder {folder} any more: it was moved or removed" for folder in gone),
            *(self.told(aged.problem) for aged in (self._list, *self._snapshots.values()) if aged.problem),
        ]

    def told(self, text: str) -> str:
        """A text, such as an error of a library, without the passwords of the addresses."""
        for uri in self._addresses:
            address = uri.partition("#")[0]
            user = address.partition("://")[2].partition("/")[0].rpartition("@")[0]
            text = text.replace(address, without_password(address))
            text = text.replace(f"{user}@", "") if user else text
        return text

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
            sweep = Sweep(entry.opened or entry.source, sweep=entry.sweep or None)
            self._opened[entry.key] = (entry.stamp, sweep)
            while len(self._opened) > KEPT:
                self._opened.popitem(last=False)
            return sweep

    def statuses(self) -> Iterator[SweepStatus]:
        """The status of every sweep in a folder that can be read."""
        for entry in self._list.get() or ():
            seen = self._watched.look(Path(entry.source))
            if seen is not None and seen.status is not None:
                yield seen.status

    def _in_folders(self) -> list[BoardEntry]:
        folders: dict[Path, None] = {}
        for given in self._folders:
            if given.is_dir():
                self._were_there.add(given)
            whole = [given] if (given / JOURNAL).is_file() else sweeps_within(given)
            folders.update(dict.fromkeys(whole))
        return [entry for folder in folders for entry in self._of_folder(folder)]

    def _of_folder(self, folder: Path) -> Iterable[BoardEntry]:
        seen = self._watched.look(folder)
        if seen is not None:
            yield BoardEntry(folder.resolve().name, str(folder), seen.stamp, facts=seen.facts)

    def _at(self, uri: str) -> Iterable[BoardEntry]:
        found = self._snapshots[uri].get()
        if found is None:
            return
        address, _, experiment = uri.partition("#")
        told = without_password(address)
        sweeps = found.sweeps[found.sweeps["experiment"] == experiment] if experiment else found.sweeps
        for row in sweeps.sort_values("start_s", ascending=False).to_dict("records"):
            facts = {name: row[name] for name in ("name", "experiment", "trials", "best", "metric", "start_s")}
            facts |= {"state": row["status"], "finished": row["finished"], "stopped": row["stopped"]}
            facts |= {"failed": row["failed"], "running": row["running"]}
            stamp = "-".join(str(row[name]) for name in _STAMPED)
            own = str(row["sweep"])  # a part of it is in the key: at an address many sweeps have one name
            key, where = f"{row['name']}.{own[:_ID]}", f"#{row['experiment']}"
            yield BoardEntry(key, told + where, stamp, own, facts, address + where)


class _Keys:
    """What each sweep is called: by its name or, where another one has it, by its name and a number.

    A sweep keeps its key while the board lasts, so that a page goes on to show the sweep that it was opened for. Used
    from several threads.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def given(self, entries: Iterable[BoardEntry]) -> list[BoardEntry]:
        """The entries with keys of their own; a sweep that is there twice, once."""
        known = {(entry.source, entry.sweep): entry for entry in entries}
        with self._lock:
            new = {sweep: entry.key for sweep, entry in known.items() if sweep not in self._of}
            for sweep, name in new.items():  # names come before numbers: what is called x-2 is no second x
                if name not in self._used:
                    self._keep(sweep, name)
            for sweep, name in new.items():
                if sweep not in self._of:
                    numbered = (f"{name}-{number}" for number in count(2))
                    self._keep(sweep, next(key for key in numbered if key not in self._used))
            return [replace(entry, key=self._of[sweep]) for sweep, entry in known.items()]

    def _keep(self, sweep: tuple[str, str], key: str) -> None:
        self._of[sweep] = key
        self._used.add(key)


class _Aged:
    """What `read` last returned, read again when it is older than `seconds`; an error keeps what was there before.

    patience_s: how long one waits for a reading. One that takes longer goes on in its thread, what was there before is
    returned meanwhile, and `problem` says so.
    """

    def __init__(
        self, read: Callable[[], Any], seconds: float, patience_s: float | None = None, what: str = ""
    ) -> None:
        self._read, self._seconds, self._patience_s, self._what = read, seconds, patience_s, what
        self._at, self._value, self._lock = -float("inf"), None, threading.Lock()
        self._reading: tuple[float, threading.Thread] | None = None
        self._failed = ""

    @property
    def problem(self) -> str:
        """Why what `get` returns is not what there is now, "" if it is."""
        reading = self._reading
        if self._failed or reading is None or self._patience_s is None:
            return self._failed
        taken_s = time.monotonic() - reading[0]
        if taken_s < self._patience_s:
            return ""
        told = "what is listed may be old" if self._value is not None else "its sweeps are listed when it is through"
        return f"{self._what} is being read, for {taken_s:.0f} s so far: {told}"

    def get(self) -> Any:
        if self._patience_s is None:
            with self._lock:
                if self._is_old():
                    self._once()
                return self._value
        with self._lock:
            if self._reading is None and self._is_old():
                thread = threading.Thread(target=self._in_background, name="greenexp-board", daemon=True)
                self._reading = (time.monotonic(), thread)
                thread.start()
            reading = self._reading
        if reading is not None:
            reading[1].join(max(0.0, reading[0] + self._patience_s - time.monotonic()))
        return self._value

    def _is_old(self) -> bool:
        return time.monotonic() - self._at > self._seconds

    def _in_background(self) -> None:
        try:
            self._once()
        finally:
            self._reading = None

    def _once(self) -> None:
        try:
            self._value, self._failed = self._read(), ""
        except GreenexpError as error:
            self._failed = str(error)
        finally:
            self._at = time.monotonic()


def _snapshot(uri: str) -> Snapshot:
    require("mlflow")
    from greenexp.sources.snapshots import snapshot

    return snapshot(uri)


def _without_password(uri: str) -> str:
    """`ADDRESS#EXPERIMENT` as it may be told."""
    address, mark, experiment = uri.partition("#")
    return without_password(address) + mark + experiment


def _is_address(source: str) -> bool:
    return ("://" in source or "#" in source) and not Path(source).is_dir()
