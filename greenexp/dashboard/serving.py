"""The dashboard on an address, until it is told to stop."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenexp.dashboard.access import TOKEN, Access, in_url
from greenexp.dashboard.app import dashboard_app
from greenexp.dashboard.board import Board
from greenexp.inference.service.server import address_of, bind, is_loopback, serve

SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class DashboardPlace:
    """Where the dashboard is served.

    host, port: to listen at, port 0: a free one; token: what requests must carry, "" for one of its own where others
    than this machine can reach it; names: host names that it answers to; embedded: whether other sites may frame it
    """

    host: str = "127.0.0.1"
    port: int = 8200
    token: str = ""
    names: tuple[str, ...] = ()
    embedded: bool = False


def serve_dashboard(sources: Sequence[str], place: DashboardPlace, ready: Callable[[str], None]) -> None:
    """Serve the dashboard of `sources` until Ctrl-C.

    ready: told the address to open, with the token where there is one, once connections are taken
    Raises InputError for a source or an address that there is not.
    """
    board = Board(sources)
    with bind(place.host, place.port) as bound:
        token = place.token or ("" if is_loopback(bound) else secrets.token_urlsafe(24))
        address = address_of(bound)
        app = Access(dashboard_app(board), token=token, hosts=place.names, embedded=place.embedded)
        opened = f"{address}/?{TOKEN}={in_url(token)}" if token else f"{address}/"
        serve(app, bound, SHUTDOWN_S, ready=lambda: ready(opened))
