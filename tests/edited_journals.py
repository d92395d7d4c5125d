"""Journals with lines that are not what was written: edited by hand, or as an earlier version wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def lines_of(path: Path) -> list[Line]:
    """The lines of a journal, without their checks."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [{key: value for key, value in line.items() if key != "check"} for line in lines]


def checked(lines: Iterable[Line]) -> bytes:
    """A journal of these lines with checks that fit, worked out here once more."""
    content, check = b"", ""
    for line in lines:
        body = _text(line)[:-1]
        check = blake2b(check.encode() + body, digest_size=8).hexdigest()
        content += body + b',"check":"' + check.encode() + b'"}\n'
    return content


def unchecked(lines: Iterable[Line]) -> bytes:
    """The same as a version before checks wrote it."""
    return b"".join(_text({**line, **({"format": 1} if "format" in line else {})}) + b"\n" for line in lines)


def edit(path: Path, change: Callable[[Line], object], *, old: bool = False) -> None:
    """Change every line in its place; old: and write the journal without checks."""
    lines = lines_of(path)
    for line in lines:
        change(line)
    path.write_bytes(unchecked(lines) if old else checked(lines))


def _text(line: Line) -> bytes:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
