"""What a request asks for: a view, of which sweeps, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from greenexp.api.views import Answer, View, view_of
from greenexp.dashboard.board import Board

PAGE = frozenset({"sweep", "view", "hide", "theme", "token"})
"""Parameters that are no options of a view: whose it is, and how a page shows it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A view of a sweep, its options as they stand in the URL."""

    view: View
    sweep: str
    options: Mapping[str, str] = field(default_factory=dict)

    def answer(self, board: Board) -> Answer:
        """What the view says. InputError or UnknownNameError for what there is not."""
        return board.open(self.sweep).view(self.view.name, **self.options)

    def facts(self, board: Board) -> dict[str, Any]:
        """What stands beside the answer: its title, and the Python that gives the same."""
        entry = board.entry(self.sweep)
        where = f"{entry.source!r}" + (f", sweep={entry.sweep!r}" if entry.sweep else "")
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        python = f"import greenexp\n\ngreenexp.load({where}).view({self.view.name!r}{options})"
        return {"view": self.view.name, "title": self.view.title, "about": self.view.about, "sweep": entry.key,
                "stamp": entry.stamp, "python": python}  # fmt: skip


def asked_of(request: Request) -> Asked:
    """What a request asks for. UnknownNameError for a view that there is not."""
    given = {name: value for name, value in request.query_params.items() if name not in PAGE and value}
    return Asked(view_of(request.path_params["view"]), request.query_params.get("sweep", ""), given)
