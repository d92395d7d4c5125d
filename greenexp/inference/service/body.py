"""The body of a request, read to its limit and no further."""

from __future__ import annotations

import asyncio
from email.message import Message

from starlette.requests import Request

from greenexp.inference.service.limits import RefusedError

PATIENCE = 4
"""A body over the limit is thrown away, not kept, up to this many times the limit, so that its sender, who reads only
when it has sent, sees the refusal; beyond that the connection is cut."""


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """All of the body, whatever type it declares: `curl -d` calls everything a form.

    RefusedError: 415 compressed, or declared not to be UTF-8, 413 too long (whatever length it declares), 408 too slow.
    Starlette's ClientDisconnect if the sender goes away.
    """
    _check_coding(request)
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else 0
    too_long = f"the body is longer than {max_bytes:,} bytes"
    if length > max_bytes and (length > PATIENCE * max_bytes or "expect" in request.headers):
        raise RefusedError(413, too_long, close=True)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collected(request, max_bytes, too_long)
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not arrive within {timeout_s:g} s", close=True) from error


async def _collected(request: Request, max_bytes: int, too_long: str) -> bytes:
    kept, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= max_bytes:
            kept += part
        elif size > PATIENCE * max_bytes:
            raise RefusedError(413, too_long, close=True)
        else:
            kept.clear()
    if size > max_bytes:
        raise RefusedError(413, too_long)
    return bytes(kept)


def _check_coding(request: Request) -> None:
    """JSON is UTF-8; texts in another encoding could be read as other texts, without an error."""
    kind = Message()
    kind["content-type"] = request.headers.get("content-type", "")
    charset = kind.get_content_charset("utf-8")
    if charset.replace("-", "").replace("_", "") not in {"utf8", "usascii"}:
        raise RefusedError(415, f"the body must be JSON in UTF-8, and not in {charset}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "a compressed body is not read")
