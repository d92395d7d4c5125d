"""An ASGI application served by uvicorn from a socket that is already bound, until it is told to stop."""

from __future__ import annotations

import gc
import ipaddress
import logging
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from greenexp.errors import InputError
from greenexp.inference.service.connections import AT_ONCE, bounded_protocol, most_connections

BACKLOG = 1_024
"""Connections that may wait to be accepted."""
HEAD_S = 30.0
"""Longest wait for the head of a request."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 takes a free one. InputError if it cannot be had.

    Until the service runs, connections to it are refused.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError) as error:
        raise InputError(f"there is no address {host!r} on this machine: {error}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port of a service that has just ended
        bound.bind(address)
    except (OSError, OverflowError) as error:
        bound.close()
        raise InputError(f"cannot listen at {host} port {port}: {getattr(error, 'strerror', None) or error}") from error
    return bound


def address_of(bound: socket.socket) -> str:
    """`http://127.0.0.1:8000`."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(bound: socket.socket) -> bool:
    """Whether only programs on this machine can reach it."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def serve(
    app: ASGIApp,
    bound: socket.socket,
    shutdown_s: float,
    *,
    head_s: float = HEAD_S,
    access_log: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in flight has `shutdown_s` to end.

    head_s: longest wait for the head of a request; access_log: a line per request on stderr
    ready: called once connections are no longer refused
    Returns after a clean stop by either signal. A second SIGINT does not wait.
    """
    if access_log:
        logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler())
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not look at it again
    with _signals_end_here():
        server = prepared(app, bound, shutdown_s, head_s=head_s, access_log=access_log)
        ready()
        server.run(sockets=[bound])


def prepared(
    app: ASGIApp,
    bound: socket.socket,
    shutdown_s: float,
    *,
    head_s: float = HEAD_S,
    most: int | None = None,
    access_log: bool = False,
) -> uvicorn.Server:
    """The server behind `serve`, its socket open to connections. Setting `should_exit` stops it as a signal does.

    most: open connections (None: as many as the process can have); see `connections.bounded_protocol`
    """
    config = uvicorn.Config(
        app,
        # On h11: the same everywhere, whatever else is installed.
        http=bounded_protocol(head_s, most_connections() if most is None else most),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="info" if access_log else "error",
        access_log=access_log,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(shutdown_s),
        backlog=AT_ONCE,
    )
    bound.listen(BACKLOG)
    return _Server(config)


class _Server(uvicorn.Server):
    """Accepts few connections at a time, and lets many wait; asyncio has one number for both."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(BACKLOG)


@contextmanager
def _signals_end_here() -> Iterator[None]:
    """Of uvicorn, which at its end raises again the signal that stopped it; here nothing more happens then."""
    handled = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: None) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
