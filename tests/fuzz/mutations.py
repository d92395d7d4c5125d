"""Changes of bytes and of JSON values, drawn from a seeded generator."""

from __future__ import annotations

import copy
import random
from typing import Any

Draw = random.Random
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 0.5, -0.5, 1e-300, 1e300, 2**31, 2**63, 10**40, "", "x", "0", "1e9", "../..",
    "~", "bad \udcff", "\x00", "é\u2028", [], [1], [[1]], {}, {"a": 1}, "bert", "all", "linear", "F32", "finished",
)  # fmt: skip
TOKENS: tuple[bytes, ...] = (
    b"", b"\n", b"\r\n", b"\t", b",", b'"', b"'", b":", b"{", b"}", b"[", b"]", b"-", b"null", b"true", b"NaN",
    b"Infinity", b"-1", b"1e999", b"1e-999", b"9" * 50, b"0x1", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8",
    b"\\ud800", b"&a ", b"*a", b"!!int ", b"---\n", b"# ", b"  ", b"[" * 2_000,
    b'{"a":' * 2_000, b"PK\x03\x04", b"x" * 140_000,
)  # fmt: skip


def changed_bytes(content: bytes, draw: Draw) -> bytes:
    """One to four changes: a bit flipped, a part lost, doubled or moved, a token put in, the end cut off."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(len(data) + 1)
        length = draw.choice((1, 1, 2, 8, 64))
        how = draw.randrange(6)
        if how == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif how == 1:
            del data[at : at + length]
        elif how == 2:
            data[at:at] = data[at : at + length]
        elif how == 3:
            part = data[at : at + length]
            del data[at : at + length]
            to = draw.randrange(len(data) + 1)
            data[to:to] = part
        elif how == 4 and draw.random() < 0.2:
            del data[at:]
        else:
            data[at : at + draw.choice((0, 0, length))] = draw.choice(TOKENS)
    return bytes(data)


def changed_value(value: Any, draw: Draw) -> Any:
    """A copy with one to three values in it lost, added or replaced, at any depth."""
    whole = [copy.deepcopy(value)]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if whole and isinstance(whole[0], dict | list) and whole[0]:
            _change(whole[0], draw)
    return whole[0] if draw.random() > 0.01 else draw.choice(VALUES)


def _change(inside: Any, draw: Draw) -> None:
    key = draw.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    if isinstance(inside[key], dict | list) and inside[key] and draw.random() < 0.8:
        _change(inside[key], draw)
        return
    how = draw.random()
    if how < 0.15:
        del inside[key]
    elif how < 0.25 and isinstance(inside, dict):
        inside[draw.choice(("added", "name", "", "when"))] = draw.choice(VALUES)
    elif how < 0.3 and isinstance(inside, list):
        inside.append(copy.deepcopy(inside[key]))
    else:
        inside[key] = copy.deepcopy(draw.choice(VALUES))
