"""Who may ask the dashboard: anybody on this machine, or whoever has its token, and nobody by way of another site.

A page of another site, open in the same browser, can send requests to a loopback address; and with a name that it
points there it could read the answers. So a request names a host that is an address or is this machine's, and changes
nothing. With a token, the first request carries it in its URL and gets a cookie for the next. Cookies are those of a
host with all its ports, so the name of this one has the port.

A browser sends that cookie to no frame of a page of another site. Where such pages may show these, the first page of a
path `/token=TOKEN/` is led to, and all that it loads lies below.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, unquote_to_bytes

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
_IN_PATH = b"token="


class Access:
    """An ASGI application that lets in whom it may before `app`, and adds headers to every answer.

    token: what a request must carry, "" for none; hosts: names by which this server may be called, besides addresses
    embedded: whether pages of other sites may show these in a frame
    """

    def __init__(self, app: ASGIApp, *, token: str = "", hosts: Iterable[str] = (), embedded: bool = False) -> None:
        self._app, self._token, self._embedded = app, _as_bytes(token), embedded
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
        below = self._below_token(scope)
        refusal, cookie = self._judged(below or scope, carried=below is not None)
        headers = [*self._headers, *((((b"set-cookie", cookie),)) if cookie else ())]

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        await (refusal or self._app)(below or scope, receive, sent)

    def _below_token(self, scope: Scope) -> Scope | None:
        """A request whose path begins with the token, as the one without it; None for any other."""
        if not (self._embedded and self._token):
            return None
        first, _, rest = scope["raw_path"].removeprefix(b"/").partition(b"/")
        if not (first.startswith(_IN_PATH) and self._matches(unquote_to_bytes(first.removeprefix(_IN_PATH)))):
            return None
        return {**scope, "path": f"/{unquote(rest.decode('latin-1'))}", "raw_path": b"/" + rest}

    def _judged(self, scope: Scope, *, carried: bool) -> tuple[Response | None, bytes]:
        """What is answered in the application's place, None if nothing is; the cookie that it is given.

        carried: the path had the token
        """
        if scope["method"] not in _METHODS:
            return PlainTextResponse("the dashboard only shows: it takes GET", 405, {"allow": ", ".join(_METHODS)}), b""
        received = dict(scope["headers"])
        host, port = _host_and_port(received.get(b"host", b"").decode("latin-1"))
        if not (host in self._hosts or _is_address(host)):
            told = f"this dashboard is not called {host!r}: ask for it by its address, or name it with --name"
            return PlainTextResponse(told, 421), b""
        if not self._token or carried:
            return None, b""
        name, query = f"{COOKIE}-{port}", scope["query_string"]
        if any(map(self._matches, _values(query, b"&", TOKEN))):
            if self._embedded and scope["path"] == "/":
                return self._led_below(query), b""
            return None, f"{name}={quote(self._token, safe='')}; HttpOnly; SameSite=Strict; Path=/".encode("ascii")
        bearer = received.get(b"authorization", b"").removeprefix(b"Bearer ")
        if self._matches(bearer) or any(map(self._matches, _values(received.get(b"cookie", b""), b";", name))):
            return None, b""
        told = "this dashboard asks for its token: open the address that `greenexp dashboard` printed"
        return PlainTextResponse(told, 401, {"www-authenticate": "Bearer"}), b""

    def _led_below(self, query: bytes) -> Response:
        """The same page, with the token in its path in place of its query."""
        kept = b"&".join(part for part in query.split(b"&") if not part.startswith(f"{TOKEN}=".encode()))
        below = f"{_IN_PATH.decode()}{quote(self._token, safe='')}/?{kept.decode('latin-1')}"
        return Response(status_code=307, headers={"location": below, "cache-control": "no-store"})

    def _matches(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self._token)


def in_url(token: str) -> str:
    """A token as it stands in a URL: one of any characters."""
    return quote(_as_bytes(token), safe="")


def _as_bytes(token: str) -> bytes:
    return token.encode("utf-8", "surrogateescape")


def _values(pairs: bytes, between: bytes, wanted: str) -> Iterator[bytes]:
    """The values of a name in `name=value` pairs, percent-encoded as they are in a query and in our cookie."""
    for pair in pairs.split(between):
        name, _, value = pair.strip().partition(b"=")
        if name == wanted.encode("ascii"):
            yield unquote_to_bytes(value.replace(b"+", b" "))


def _host_and_port(header: str) -> tuple[str, str]:
    """Those of `host:port`, of `[address]:port` the address; the port that a browser was given, "" for that of HTTP."""
    before, bracket, after = header.partition("]")
    host, _, port = after.partition(":") if bracket else header.partition(":")
    return before.removeprefix("[") if bracket else host.lower(), port if port.isascii() and port.isdigit() else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
