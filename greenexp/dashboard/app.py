"""The HTTP application: pages, what they show as JSON, CSV and SVG, and the news of sweeps that run.

    /                                       the page; its state is in its query string
    /web/...                                its modules and styles; /vega.js: Vega with Vega-Lite and its embedding
    /api/board                              the sweeps, the views with their options, what cannot be read
    /api/views/VIEW?sweep=KEY&...           what a view says; .../tables/NAME.csv and .../figures/NAME.svg of it
    /api/sweeps/KEY/options/VIEW            what can be chosen in a view of this sweep
    /api/events                             server-sent events: the stamps of all sweeps, when one changes
    /metrics                                the sweeps in folders, as Prometheus reads them

Every error is JSON with a status and a reason. Reading and drawing take time, so they run in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache, partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from greenexp.api.views import VIEWS, NamedView, view_of
from greenexp.assets import shipped
from greenexp.dashboard.asked import asked_of
from greenexp.dashboard.board import Board
from greenexp.dashboard.payload import as_json, figures_of, payload_of, tables_of
from greenexp.errors import GreenexpError, UnknownNameError
from greenexp.figures.render import render_svg
from greenexp.records.axes import AXES
from greenexp.records.exposition_text import CONTENT_TYPE
from greenexp.sources.exposition import exposition
from greenexp.version import VERSION

NEWS_S = 1.0
"""How often the stamps of sweeps are looked at for a page that listens."""
SILENCE_S = 15.0
"""After which a page that listens is told that the connection still stands."""
Endpoint = Callable[[Request], Awaitable[Response]]


def dashboard_app(board: Board) -> Starlette:
    """The application that shows a board."""
    shown = Dashboard(board)
    web = shipped("dashboards") / "web"
    routes = [
        Route("/", partial(_page, web)),
        Route("/vega.js", _vega),
        Route("/api/board", shown.board),
        Route("/api/sweeps/{sweep}/options/{view}", shown.options),
        Route("/api/views/{view}", shown.view),
        Route("/api/views/{view}/tables/{name}.csv", shown.csv),
        Route("/api/views/{view}/figures/{name}.svg", shown.svg),
        Route("/api/events", shown.events),
        Route("/metrics", shown.metrics),
        Mount("/web", StaticFiles(directory=web)),
    ]
    error, unexpected = partial(_error, board.told), partial(_unexpected, board.told)
    handlers: dict[Any, Any] = {HTTPException: _http_error, GreenexpError: error, Exception: unexpected}
    return Starlette(routes=routes, exception_handlers=handlers)


class Dashboard:
    """The endpoints, over one board."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def board(self, request: Request) -> Response:
        """GET /api/board."""
        entries = await run_in_threadpool(self._board.entries)
        return _json(
            {
                "version": VERSION,
                "sources": list(self._board.sources),
                "problems": self._board.problems,
                "sweeps": [{"key": e.key, "source": e.source, "stamp": e.stamp, **e.facts} for e in entries],
                "views": [_view_facts(view) for view in VIEWS.values()],
            }
        )

    async def options(self, request: Request) -> Response:
        """GET /api/sweeps/KEY/options/VIEW."""
        view = view_of(request.path_params["view"])
        return _json(await run_in_threadpool(self._options, request.path_params["sweep"], view))

    def _options(self, key: str, view: NamedView) -> dict[str, Any]:
        tables = self._board.open(key).unreplayed
        told = {}
        for option in view.options:
            choices = None if option.choices is None else list(option.choices(tables))
            about = {"title": option.title, "default": option.default, "many": option.many, "nothing": option.nothing}
            told[option.name] = {**about, "choices": choices, "labels": _labels(choices or ())}
        return told

    async def view(self, request: Request) -> Response:
        """GET /api/views/VIEW."""
        asked = asked_of(request)

        def told() -> dict[str, Any]:
            answer = asked.answer(self._board)
            return {**payload_of(answer, asked.view.rows), **asked.facts(self._board, answer)}

        return _json(await run_in_threadpool(told))

    async def csv(self, request: Request) -> Response:
        """GET /api/views/VIEW/tables/NAME.csv."""
        asked, name = asked_of(request), request.path_params["name"]
        text = await run_in_threadpool(lambda: _named(tables_of(asked.answer(self._board)), "table", name).csv())
        return _download(text, "text/csv; charset=utf-8", f"{_safe(name)}.csv")

    async def svg(self, request: Request) -> Response:
        """GET /api/views/VIEW/figures/NAME.svg."""
        asked, name = asked_of(request), request.path_params["name"]
        text = await run_in_threadpool(
            lambda: render_svg(_named(figures_of(asked.answer(self._board)), "figure", name))
        )
        return _download(text, "image/svg+xml", f"{_safe(name)}.svg")

    async def events(self, request: Request) -> Response:
        """GET /api/events."""
        return StreamingResponse(self._news(request), media_type="text/event-stream", headers=_FRESH)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics."""
        text = await run_in_threadpool(lambda: exposition(self._board.statuses()))
        return Response(text, media_type=CONTENT_TYPE, headers=_FRESH)

    async def _news(self, request: Request) -> AsyncIterator[bytes]:
        told, silent = None, 0.0
        while not await request.is_disconnected():
            stamps = {entry.key: entry.stamp for entry in await run_in_threadpool(self._board.entries)}
            if stamps != told:
                told, silent = stamps, 0.0
                yield b"event: stamps\ndata: " + as_json(stamps) + b"\n\n"
            elif silent >= SILENCE_S:
                silent = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(NEWS_S)
            silent += NEWS_S


_FRESH = {"cache-control": "no-store"}


def _labels(choices: Sequence[str]) -> dict[str, str]:
    """What a page calls choices that have a name of the code."""
    axes = {name: axis.title for name, axis in AXES.items()}
    known = {**axes, "go_on": "go on", "train_loss": "training loss"}
    return {choice: known[choice] for choice in choices if choice in known}


def _view_facts(view: NamedView) -> dict[str, Any]:
    options = [{"name": option.name, "title": option.title} for option in view.options]
    return {"name": view.name, "group": view.group, "title": view.title, "about": view.about, "options": options,
            "several": view.several}  # fmt: skip


def _named(things: list[Any], kind: str, name: str) -> Any:
    for thing in things:
        if thing.name == name:
            return thing
    raise UnknownNameError(kind, name, [thing.name for thing in things])


def _safe(name: str) -> str:
    """A name as it can stand in a header."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)


async def _page(web: Any, request: Request) -> Response:
    return FileResponse(web / "index.html", headers=_FRESH)


async def _vega(request: Request) -> Response:
    script = await run_in_threadpool(_bundle)
    return Response(script, media_type="text/javascript", headers={"cache-control": "max-age=86400"})


_GLOBALS = "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"


@cache
def _bundle() -> bytes:
    import vl_convert

    from greenexp.figures.vector import VEGA_LITE

    return str(vl_convert.javascript_bundle(_GLOBALS, vl_version=VEGA_LITE)).encode("utf-8")


def _json(value: Any, status: int = 200) -> Response:
    return Response(as_json(value), status, media_type="application/json", headers=_FRESH)


def _download(text: str, kind: str, name: str) -> Response:
    headers = {**_FRESH, "content-disposition": f'attachment; filename="{name}"'}
    return Response(text.encode("utf-8", "replace"), media_type=kind, headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return _json({"error": error.detail or "not found"}, error.status_code)


async def _error(told: Callable[[str], str], request: Request, error: Exception) -> Response:
    return _json({"error": told(str(error))}, 404 if isinstance(error, UnknownNameError) else 422)


async def _unexpected(told: Callable[[str], str], request: Request, error: Exception) -> Response:
    """A mistake of ours: the page says so, and the others go on."""
    text = told(f"this view failed, which is a mistake in greenexp: {type(error).__name__}: {error}")
    return _json({"error": text}, 500)
