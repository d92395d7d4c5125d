"""Small assets made up by the tests, and sources that give, fail or misbehave on purpose."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenexp.assets import Asset, AssetFile
from greenexp.assets.asset import Source, UnavailableError

CONTENTS = {"config.json": b'{"made": "up"}', "weights.bin": bytes(range(256)) * 300}


def described(contents: dict[str, bytes] = CONTENTS) -> tuple[AssetFile, ...]:
    return tuple(AssetFile(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in contents.items())


def an_asset(*sources: Source, name: str = "made-up") -> Asset:
    return Asset(name, "made up", "CC0", "nobody", described(), sources)


def write(folder: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def tarball(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@dataclass
class Giving:
    """Gives `contents`, and counts how often it was asked."""

    contents: dict[str, bytes]
    asked: int = 0

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        self.asked += 1
        write(into, self.contents)

    def __str__(self) -> str:
        return "a giver"


@dataclass
class Failing:
    """Writes half of what it should and then raises."""

    error: Callable[[], BaseException]

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        (into / files[0].name).write_bytes(b"half")
        (into / "left").mkdir()
        raise self.error()

    def __str__(self) -> str:
        return "a failure"


def offline() -> UnavailableError:
    return UnavailableError("the network is down")
