"""An endpoint for Prometheus beside a running sweep: GET /metrics, for as long as the driver is there."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import GreenexpError, InputError
from greenexp.tracking.follow import Follower
from greenexp.tracking.writer import Tracker

if TYPE_CHECKING:
    import socket

    from starlette.applications import Starlette

CONNECTIONS = 16
"""Open at a time: one or two Prometheus servers, and a person who looks."""
SHUTDOWN_S = 1.0

Written = Callable[[], int | None]
"""Says how many events of the journal MLflow has, None while this is not known."""


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where the endpoint listens; port 0 takes a free one."""

    port: int
    host: str = "127.0.0.1"


class MetricsEndpoint:
    """A bound address, where questions wait until it is told which sweep to follow.

    address: `http://127.0.0.1:9464/metrics`; loopback: whether only programs on this machine can reach it
    """

    def __init__(self, bound: socket.socket) -> None:
        from greenexp.inference.service import server

        self._bound = bound
        self.address = f"{server.address_of(bound)}/metrics"
        self.loopback = server.is_loopback(bound)
        self._stop: Callable[[], None] = lambda: None

    def follow(self, folder: Path, written: Written = lambda: None) -> None:
        """Answer from now on what the journal in `folder` says at each request, in a thread of its own."""
        from greenexp.inference.service import server

        served = server.prepared(_application(folder, written), self._bound, SHUTDOWN_S, most=CONNECTIONS)
        thread = threading.Thread(
            target=lambda: served.run(sockets=[self._bound]), name="greenexp-metrics", daemon=True
        )

        def stop() -> None:
            served.should_exit = True
            thread.join(2 * SHUTDOWN_S)

        thread.start()
        self._stop = stop

    def close(self) -> None:
        """Answer no more."""
        self._stop()


@contextmanager
def metrics_endpoint(address: MetricsAddress | None) -> Iterator[MetricsEndpoint | None]:
    """The endpoint at an address, None without one. InputError if the address cannot be had."""
    if address is None:
        yield None
        return
    from greenexp.inference.service import server

    with server.bind(address.host, address.port) as bound:
        try:
            bound.listen()  # two that are bound and do not listen may share a port
        except OSError as error:
            raise InputError(f"cannot listen at {address.host} port {address.port}: {error.strerror}") from error
        endpoint = MetricsEndpoint(bound)
        try:
            yield endpoint
        finally:
            endpoint.close()


class CountingTracker(Tracker):
    """A tracker that knows how many events of the journal MLflow has."""

    def __init__(self, folder: Path, uri: str, experiment: str, remark: Callable[[str], None]) -> None:
        super().__init__(folder, uri, experiment, remark)
        self._counting = _CountingFollower(folder, uri, experiment, pause=self._check, leads=True)
        self._follower = self._counting

    def written(self) -> int | None:
        """The number of events that MLflow is level with."""
        return self._counting.written


class _CountingFollower(Follower):
    """Notes after each write how far the journal had been read."""

    written: int | None = None

    def write_changes(self, *, with_sweep: bool, with_report: bool = False) -> None:
        """As the follower does; its own run lags by a few seconds, so this is of the runs of trials."""
        super().write_changes(with_sweep=with_sweep, with_report=with_report)
        self.written = self.tracked.state.lines


def _application(folder: Path, written: Written) -> Starlette:
    """GET /metrics over one followed sweep."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    from greenexp.records.exposition_text import CONTENT_TYPE
    from greenexp.sources.exposition import exposition
    from greenexp.sources.following import FollowedSweep

    followed, one_at_a_time = FollowedSweep(folder), threading.Lock()

    def metrics(_request: Request) -> Response:
        try:
            with one_at_a_time:
                status = followed.status()
                has = written()  # after the journal has been read, so that this one is never ahead of what is behind
                behind = None if has is None else max(0, followed.lines - has)
        except GreenexpError as error:
            return PlainTextResponse(f"{error}\n", status_code=503)
        return Response(exposition([dataclasses.replace(status, mlflow_behind=behind)]), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/metrics", metrics)])
