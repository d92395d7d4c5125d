"""The service: POST /predict, GET /health, GET /metrics. Every answer is JSON but the metrics; every error says why.

    {"text": "..."} or any other example of `inputs`   ->  {"prediction": 1, "label": "good", "exit": 2, ...}
    {"inputs": [example, ...]}                         ->  {"answers": [...]}, in the same order

Examples of all requests that wait at one time go through the engine together. An example is answered as the engine
answers it alone, whatever it waited with. What is no HTTP never comes here: the server refuses it in plain text.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenexp.errors import InputError
from greenexp.inference.answers import Answer, Tokens
from greenexp.inference.rebatching import Statistics
from greenexp.inference.service.body import read_body
from greenexp.inference.service.inputs import (
    Engine,
    Example,
    answer_fields,
    kind_of,
    parse_json,
    read_example,
    tokens_of,
)
from greenexp.inference.service.limits import Limits, RefusedError
from greenexp.inference.service.memory import keep_trimmed
from greenexp.inference.service.metrics import Metrics
from greenexp.records.exposition_text import CONTENT_TYPE

CLIENT_GONE = 499
"""What the metrics call a request whose client went away; nobody receives it."""
READERS = 2
"""Threads that turn text into tokens: a long text does not stop the others, and each thread holds memory of its own."""
CLOSED = "the service takes no more requests"


class Queue(Protocol):
    """What is asked of a `Rebatcher`."""

    @property
    def statistics(self) -> Statistics:
        """Batches and examples per segment so far."""

    def submit(self, tokens: Tokens) -> Future[Answer]:
        """Put an example where the next batch takes it from. RuntimeError once it is closed."""

    def close(self) -> None:
        """Answer what is waiting and take nothing more."""


class Service:
    """What the endpoints share: the engine, the queue of examples, the limits and the counters."""

    def __init__(self, engine: Engine, queue: Queue, limits: Limits, about: Mapping[str, Any]) -> None:
        self.metrics = Metrics()
        self._ready = True
        self._reading = ThreadPoolExecutor(READERS, "greenexp-reader")
        self._engine, self._queue, self._limits, self._about = engine, queue, limits, dict(about)

    def close(self) -> None:
        """Answer what waits, and take nothing more."""
        self._queue.close()
        self._reading.shutdown()

    async def predict(self, request: Request) -> Response:
        """POST /predict."""
        try:
            return await self._predicted(request)
        except asyncio.CancelledError as error:  # the server, or the queue, is stopping and waits no longer
            raise RefusedError(503, CLOSED, close=True) from error

    async def _predicted(self, request: Request) -> Response:
        body = await read_body(request, self._limits.max_body_bytes, self._limits.timeout_s)
        try:
            data = parse_json(body)
        except InputError as error:
            raise RefusedError(400, str(error)) from error
        examples, many = self._examples(data)
        try:
            answers = await self._answers(request, examples)
        except InputError as error:
            raise RefusedError(422, str(error)) from error
        self.metrics.answers(answers)
        found = [answer_fields(a, e.identity) for a, e in zip(answers, examples, strict=True)]
        return as_json({"answers": found} if many else found[0])

    async def health(self, request: Request) -> Response:
        """GET /health."""
        facts = {**self._about, "waiting": self.metrics.waiting}
        return as_json({"status": "ready" if self._ready else "closed", **facts}, 200 if self._ready else 503)

    async def numbers(self, request: Request) -> Response:
        """GET /metrics."""
        return Response(self.metrics.text(self._queue.statistics), media_type=CONTENT_TYPE)

    def _examples(self, data: Any) -> tuple[list[Example], bool]:
        """The examples asked for, and whether it was a list of them."""
        many = isinstance(data, Mapping) and "inputs" in data
        inputs = data["inputs"] if many else [data]
        if many and len(data) > 1:
            raise RefusedError(422, "nothing may stand beside 'inputs'")
        if not isinstance(inputs, list) or not inputs:
            received = "an empty one" if inputs == [] else kind_of(inputs)
            raise RefusedError(422, f"'inputs' must be a list of examples, received {received}")
        if len(inputs) > self._limits.max_inputs:
            raise RefusedError(413, f"{len(inputs)} inputs: at most {self._limits.max_inputs} are answered at once")
        examples = []
        for place, item in enumerate(inputs):
            try:
                examples.append(read_example(item, self._engine, self._limits.max_text))
            except InputError as error:
                raise RefusedError(422, f"inputs[{place}]: {error}" if many else str(error)) from error
        return examples, many

    async def _answers(self, request: Request, examples: Sequence[Example]) -> list[Answer]:
        """The engine's answers. RefusedError: 503 the queue is full, 504 too slow."""
        if self.metrics.waiting + len(examples) > self._limits.max_queue:
            raise RefusedError(503, f"{self.metrics.waiting} examples are waiting already: try again", retry_after_s=1)
        self.metrics.waiting += len(examples)
        try:
            # In a thread: a long text takes the tokenizer milliseconds, and other requests should not wait for it.
            loop = asyncio.get_running_loop()
            tokens = await loop.run_in_executor(self._reading, tokens_of, self._engine, examples)
            futures = self._submitted(tokens)
        except BaseException:
            self.metrics.waiting -= len(examples)
            raise
        return await self._together(request, futures)

    def _submitted(self, tokens: Sequence[Tokens]) -> list[Future[Answer]]:
        futures: list[Future[Answer]] = []
        try:
            futures += (self._queue.submit(each) for each in tokens)
        except RuntimeError as error:
            self._ready = False
            for future in futures:
                future.cancel()
            raise RefusedError(503, CLOSED, close=True) from error
        return futures

    async def _together(self, request: Request, futures: Sequence[Future[Answer]]) -> list[Answer]:
        """All answers, unless time runs out or the client goes away first: then nobody waits for them any more."""
        waiting = [asyncio.wrap_future(future) for future in futures]
        for each in waiting:
            each.add_done_callback(self._left)
        answered, gone = asyncio.ensure_future(asyncio.wait(waiting)), asyncio.ensure_future(_gone(request))
        either: set[asyncio.Future[Any]] = {answered, gone}
        try:
            await asyncio.wait(either, timeout=self._limits.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                return [each.result() for each in waiting]  # the queue cancels what it will not come to any more
            if gone.done():
                raise ClientDisconnect
            raise RefusedError(504, f"no answer within {self._limits.timeout_s:g} s")
        finally:
            for each in either:
                each.cancel()
            for future in futures:
                future.cancel()  # an example that has not entered the model yet never will

    def _left(self, answer: asyncio.Future[Answer]) -> None:
        self.metrics.waiting -= 1
        if not answer.cancelled():
            answer.exception()  # seen: otherwise asyncio complains about those whose request is over


class Counted:
    """An ASGI application whose responses are counted and timed."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if status == CLIENT_GONE:
                self._metrics.gone()
            else:
                self._metrics.request(scope["path"], status or 500, time.perf_counter() - began)


def build_app(
    engine: Engine,
    queue: Queue,
    limits: Limits,
    about: Mapping[str, Any],
    ready: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """The service as an ASGI application, which closes `queue` when it ends.

    about: for GET /health; ready: called once, before the first request
    """
    service = Service(engine, queue, limits, about)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        trimming = asyncio.create_task(keep_trimmed(lambda: service.metrics.requests))
        ready()
        yield
        trimming.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.shutdown_s):
                await run_in_threadpool(service.close)

    routes = [
        Route("/predict", service.predict, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
        Route("/metrics", service.numbers, methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _http_error, RefusedError: _refusal, ClientDisconnect: _disconnect, Exception: _failure,
        },
    )  # fmt: skip
    app.router.redirect_slashes = False  # a POST would be redirected without being told so
    return Counted(app, service.metrics)


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; all ASCII, so that no text can break it, and NaN is an error here."""
    return Response(json.dumps(data, allow_nan=False), status, headers, media_type="application/json")


async def _gone(request: Request) -> None:
    """Ends when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette's table says so
    return as_json({"error": error.reason}, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's table says so
    reasons = {404: "there is no such page: /predict, /health, /metrics", 405: f"not answered here: {request.method}"}
    return as_json({"error": reasons.get(error.status_code, error.detail)}, error.status_code, error.headers)


async def _disconnect(request: Request, error: Exception) -> Response:
    return as_json({"error": "the client has gone"}, CLIENT_GONE)


async def _failure(request: Request, error: Exception) -> Response:
    return as_json({"error": "the service failed; its log says why"}, 500)
