"""The clients of `serve_load.py`: plain HTTP/1.1 over asyncio, so that they can misbehave."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

KINDS = {"single": 78, "several": 10, "no JSON": 3, "wrong fields": 3, "huge": 3, "gone": 3}
"""Weights."""
CONFIDENCE = 1e-4
"""How far a confidence may be off: logits agree to 1e-5 whatever the batch."""
PATIENCE_S = 60.0
NO_JSON = (b"", b"{", b'{"text": NaN}', b"[" * 5_000, b"\xff\xfe", b'{"text": "a"')
WRONG = (b"{}", b'{"text": 1}', b'{"text": ""}', b'{"ids": [-1]}', b'{"inputs": []}', b'{"txt": "a"}', b"[1]")


@dataclass(frozen=True)
class Expected:
    """An example as it is asked, and its answer."""

    request: dict[str, Any]
    answer: dict[str, Any]


@dataclass
class Tally:
    """What happened.

    sent: requests by kind; refused: by status; cut: huge ones whose connection was cut
    """

    sent: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    latency_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    examples: int = 0
    cut: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Client:
    """One connection, opened again whenever it was closed."""

    def __init__(self, address: str) -> None:
        self._place = urlsplit(address)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._place.hostname, self._place.port)
        return self._streams

    def close(self) -> None:
        """Go away, whatever is on its way."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def send(self, body: bytes, *, chunked: bool = False, declared: int | None = None) -> None:
        """A request for an answer; `declared` is what it says its length is."""
        _, writer = await self.opened()
        length = (
            "transfer-encoding: chunked"
            if chunked
            else f"content-length: {len(body) if declared is None else declared}"
        )
        writer.write(
            f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}\r\n\r\n".encode()
        )
        if chunked:
            for start in range(0, len(body), 65_536):
                part = body[start : start + 65_536]
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()
            body = b"0\r\n\r\n"
        writer.write(body)
        await writer.drain()

    async def receive(self) -> tuple[int, Any]:
        """Status and body of the response."""
        reader, _ = await self.opened()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        content = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), json.loads(content)


async def clients(
    address: str, expected: list[Expected], count: int, seconds: float, max_body: int, seed: int
) -> Tally:
    """`count` clients at once for `seconds`; each ends after the answer to its last request."""
    tally, until = Tally(), time.monotonic() + seconds
    huge = {"small": b'"' + b"a" * int(1.5 * max_body), "large": b'"' + b"a" * 6 * max_body}

    async def one(number: int) -> None:
        client, rng = Client(address), random.Random(1_000 * seed + number)
        while time.monotonic() < until:
            (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
            tally.sent[kind] += 1
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await _request(client, kind, rng, expected, huge, tally)
            except (TimeoutError, OSError, EOFError) as error:
                client.close()
                if kind == "huge":
                    tally.cut += 1
                else:
                    tally.lost.append(f"{kind}: {error!r}")
        client.close()

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return tally


async def _request(
    client: Client, kind: str, rng: random.Random, expected: list[Expected], huge: dict[str, bytes], tally: Tally
) -> None:
    if kind in {"single", "several"}:
        await _right(client, kind, rng, expected, tally)
        return
    if kind == "gone":
        body = json.dumps(rng.choice(expected).request).encode()
        await client.send(body if rng.random() < 0.5 else body[:9], declared=len(body))
        await asyncio.sleep(rng.choice([0.0, 0.005]))
        client.close()
        return
    if kind == "huge":
        await client.send(huge[rng.choice(["small", "large"])], chunked=rng.random() < 0.5)
        status, data = await client.receive()
        allowed = 413
    else:
        await client.send(rng.choice(NO_JSON if kind == "no JSON" else WRONG))
        status, data = await client.receive()
        allowed = 400 if kind == "no JSON" else 422
    tally.refused[status] += 1
    if status != allowed or list(data) != ["error"]:
        tally.wrong.append(f"{kind}: {status} {data}")


async def _right(client: Client, kind: str, rng: random.Random, expected: list[Expected], tally: Tally) -> None:
    places = [rng.randrange(len(expected)) for _ in range(1 if kind == "single" else rng.randint(2, 8))]
    examples = [{**expected[place].request, "id": place} for place in places]
    body = json.dumps(examples[0] if kind == "single" else {"inputs": examples}).encode()
    began = time.perf_counter()
    await client.send(body)
    status, data = await client.receive()
    tally.latency_s[kind].append(time.perf_counter() - began)
    if status != 200:
        tally.lost.append(f"{kind}: {status} {data}")
        return
    answers = [data] if kind == "single" else data["answers"]
    if len(answers) != len(places):
        tally.lost.append(f"{kind}: {len(answers)} answers to {len(places)} examples")
        return
    for place, answer in zip(places, answers, strict=True):
        tally.examples += 1
        if not _same(answer, {"id": place, **expected[place].answer}):
            tally.wrong.append(f"{answer} where {expected[place].answer} belongs")


def _same(answer: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, but for the rounding of the confidence, which depends on the batch."""
    confidences = answer["confidence"], expected["confidence"]
    close = confidences[0] == confidences[1] or (
        None not in confidences and math.isclose(*confidences, abs_tol=CONFIDENCE)
    )
    return close and {**answer, "confidence": None} == {**expected, "confidence": None}
