"""Who may ask the dashboard: anybody on this machine, or whoever has its token, and nobody by way of another site.

A page of another site, open in the same browser, can send requests to a loopback address; and with a name that it
points there it could read the answers. So a request names a host that is an address or is this machine's, and changes
nothing. With a token, the first request carries it in its URL and gets a cookie for the next.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "greenexp-dashboard"
TOKEN = "token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
"""What a page may load: what this server serves. Vega sets styles of its elements, which counts as inline."""
_METHODS = ("GET", "HEAD")


class Access:
    """An ASGI application that lets in whom it may before `app`, and adds headers to every answer.

    token: what a request must carry, "" for none; hosts: names by which this server may be called, besides addresses
    embedded: whether pages of other sites may show these in a frame
    """

    def __init__(self, app: ASGIApp, *, token: str = "", hosts: Iterable[str] = (), embedded: bool = False) -> None:
        self._app, self._token = app, token
        self._hosts = frozenset(("localhost", *hosts))
        policy = POLICY.format(ancestors="*" if embedded else "'self'")
        self._headers = [
            (b"content-security-policy", policy.encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; anything else, such as the server's begin and end, is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal, cookie = self._judged(scope)
        headers = [*self._headers, *((((b"set-cookie", cookie),)) if cookie else ())]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await (refusal or self._app)(scope, receive, sent)

    def _judged(self, scope: Scope) -> tuple[Response | None, bytes]:
        """Why a request is refused, None if it is not; the cookie that it is given."""
        if scope["method"] not in _METHODS:
            return PlainTextResponse("the dashboard only shows: it takes GET", 405, {"allow": ", ".join(_METHODS)}), b""
        received = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = _host_of(received.get("host", ""))
        if not (host in self._hosts or _is_address(host)):
            told = f"this dashboard is not called {host!r}: ask for it by its address, or name it with --name"
            return PlainTextResponse(told, 421), b""
        if not self._token:
            return None, b""
        given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])[0]
        if self._matches(given):
            return None, f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/".encode("ascii")
        bearer = received.get("authorization", "").removeprefix("Bearer ")
        if self._matches(bearer) or self._matches(_cookie(received.get("cookie", ""))):
            return None, b""
        told = "this dashboard asks for its token: open the address that `greenexp dashboard` printed"
        return PlainTextResponse(told, 401, {"www-authenticate": "Bearer"}), b""

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode("utf-8"))


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _host_of(header: str) -> str:
    """The host of `host:port`, of `[address]:port` the address."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
