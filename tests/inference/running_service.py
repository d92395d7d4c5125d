"""A service on a free port of this machine, in a thread, and ways to ask it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from greenexp.inference import Answer, Statistics, Tokens
from greenexp.inference.service import server
from greenexp.inference.service.app import Queue, build_app
from greenexp.inference.service.limits import Limits

JSON = {"content-type": "application/json"}
WAIT_S = 30.0
"""Nothing here takes that long; a test that would hang fails instead."""


class HeldQueue:
    """A queue that answers when the test says so."""

    def __init__(self) -> None:
        self.futures: list[Future[Answer]] = []
        self.came = threading.Condition()
        self.closed = False

    def submit(self, tokens: Tokens) -> Future[Answer]:
        if self.closed:
            raise RuntimeError("closed")
        future: Future[Answer] = Future()
        with self.came:
            self.futures.append(future)
            self.came.notify_all()
        return future

    def wait_for(self, ready: Callable[[], bool]) -> None:
        with self.came:
            assert self.came.wait_for(ready, WAIT_S)

    @property
    def statistics(self) -> Statistics:
        return Statistics((0,), (0,))

    def close(self) -> None:
        self.closed = True


class Asked:
    """A service as a client sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)

    def ask(
        self, path: str = "/predict", body: Any = None, method: str = "POST", headers: Mapping[str, str] = JSON
    ) -> tuple[int, Any, Mapping[str, str]]:
        """(status, parsed body, headers); a body that is neither bytes nor an iterator of them is sent as JSON."""
        raw = body if isinstance(body, bytes) or hasattr(body, "__next__") else json.dumps(body).encode()
        connection = self.connect()
        try:
            connection.request(method, path, None if method == "GET" else raw, dict(headers))
            response = connection.getresponse()
            content = response.read()
            kind = response.headers["content-type"]
            data = json.loads(content, parse_constant=refuse) if kind == "application/json" else content.decode()
            return response.status, data, response.headers
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        lines = self.ask("/metrics", method="GET")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"greenexp_{name}"))

    @contextmanager
    def raw(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            yield connection


@contextmanager
def running(engine: Any, queue: Queue, limits: Limits | None = None, most: int | None = None) -> Iterator[Asked]:
    """The service in a thread; it is stopped as a signal would stop it, and must end."""
    limits = limits or Limits()
    with server.bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        app = build_app(engine, queue, limits, {"model": "tiny"})
        up = server.prepared(app, bound, limits.shutdown_s, head_s=limits.timeout_s, most=most)
        thread = threading.Thread(target=up.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield Asked(port)
        finally:
            up.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive()


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} in what should be JSON")
