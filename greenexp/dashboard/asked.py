"""What a request asks for: a view, of which sweeps, with which options."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request

from greenexp.analysis.findings import Findings
from greenexp.api.views import Answer, NamedView, view_of
from greenexp.dashboard.board import Board, BoardEntry

OTHERS = "others"
"""The key of a sweep beside the one; given once for each."""
TRIAL = "trial"
"""The view that shows a log, and its table whose one row is of the trial."""
LOG_LINES = 200
PAGE = frozenset({"sweep", "view", "hide", "theme", "token", OTHERS})
"""Parameters that are no options of a view: whose it is, and how a page shows it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A view of a sweep, its options as they stand in the URL.

    others: sweeps beside it: keys, or keys with commas between them, where no key is the whole
    """

    view: NamedView
    sweep: str
    options: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def answer(self, board: Board) -> Answer:
        """What the view says. InputError or UnknownNameError for what there is not."""
        beside = {entry.key: board.open(entry.key).unreplayed for entry in self._beside(board)}
        own = board.open(self.sweep)
        tables = own.tables if self.view.replayed else own.unreplayed
        if self.view.several:  # under the name that the page calls it by
            tables = replace(tables, history=replace(tables.history, name=board.entry(self.sweep).key))
        return self.view.answer(tables, self.options, beside or None)

    def facts(self, board: Board, answered: Answer) -> dict[str, Any]:
        """What stands beside the answer: its title, the Python that gives the same, of a trial the end of its log."""
        entry = board.entry(self.sweep)
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        beside = [f"{other.key!r}: {_loaded(other)}" for other in self._beside(board)]
        if beside:  # under the names of the page
            options += f", called={entry.key!r}, others={{{', '.join(beside)}}}"
        python = f"import greenexp\n\n{_loaded(entry)}.view({self.view.name!r}{options})"
        log = _log(board, entry.key, answered) if self.view.name == TRIAL else ""
        about = {"view": self.view.name, "title": self.view.title, "about": self.view.about}
        told = {"python": python, "log": log, "commands": _commands(entry)}
        return {**about, "sweep": entry.key, "stamp": entry.stamp, **told}

    def _beside(self, board: Board) -> Iterator[BoardEntry]:
        """The other sweeps, each once and never the sweep itself. UnknownNameError for one that there is not."""
        if not self.others:
            return
        known = {entry.key for entry in board.entries()}
        asked = (key for given in self.others for key in ([given] if given in known else given.split(",")) if key)
        own = board.entry(self.sweep).key
        yield from (board.entry(key) for key in dict.fromkeys(asked) if key != own)


def _loaded(entry: BoardEntry) -> str:
    """The Python that opens a sweep of the board."""
    which = f", sweep={entry.sweep!r}" if entry.sweep else ""
    return f"greenexp.load({entry.source!r}{which})"


def _commands(entry: BoardEntry) -> dict[str, str]:
    """What continues or extends a sweep in a folder, which no page can do; {} for one at an address."""
    if entry.sweep:
        return {}
    run = shlex.join(["greenexp", "run", f"{entry.source}/sweep.yaml", "--out", entry.source, "--resume"])
    return {
        "continue it, after Ctrl-C or a limit": run,
        "extend it": f"{run} --set search.samples=N",
        "write its report": shlex.join(["greenexp", "report", entry.source]),
    }


def _log(board: Board, key: str, answered: Answer) -> str:
    """The end of what the trial that was answered for has logged, "" where there is none."""
    sweep = board.open(key)
    if sweep.folder is None or not isinstance(answered, Findings) or TRIAL not in answered.tables:
        return ""
    trial = str(answered[TRIAL]["trial"].iloc[0])
    return "\n".join(sweep.log(trial).splitlines()[-LOG_LINES:])


def asked_of(request: Request) -> Asked:
    """What a request asks for. UnknownNameError for a view that there is not."""
    given = {name: value for name, value in request.query_params.items() if name not in PAGE and value}
    others = tuple(request.query_params.getlist(OTHERS))
    return Asked(view_of(request.path_params["view"]), request.query_params.get("sweep", ""), given, others)
