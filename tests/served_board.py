"""A dashboard on a free port of this machine, in a thread, and what it answers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from greenexp.dashboard.access import Access
from greenexp.dashboard.app import dashboard_app
from greenexp.dashboard.board import Board
from greenexp.inference.service.server import address_of, bind, prepared


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class ServedBoard:
    address: str

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.address}{path}", headers=given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Reply(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _lower(error.headers), error.read())


@contextmanager
def served_board(sources: Sequence[object], **access: Any) -> Iterator[ServedBoard]:
    """The dashboard of `sources`; access: as of `Access`."""
    bound = bind("127.0.0.1", 0)
    app = Access(dashboard_app(Board([str(source) for source in sources])), **access)
    server = prepared(app, bound, 1.0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield ServedBoard(address_of(bound))
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
