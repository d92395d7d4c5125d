"""What an asset is: files by name, size and hash, and where they may come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


class UnavailableError(Exception):
    """One source could not give the asset; its text says why. The next source is tried, so no user ever sees it."""


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One file of an asset. name: inside the asset's folder, no subfolders; size_b: bytes."""

    name: str
    sha256: str
    size_b: int

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name or len(self.sha256) != 64:
            raise ValueError(f"not a plain file name with its sha256: {self.name} {self.sha256}")


class Source(Protocol):
    """A place an asset can be fetched from."""

    def fetch(self, files: Sequence[AssetFile], into: Path) -> None:
        """Write `files` into the empty folder `into`. Raises UnavailableError. The caller verifies what it wrote."""

    def __str__(self) -> str:
        """How a message names this source."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A named corpus or checkpoint.

    about, licence, citation: for people; sources: in the order they are tried
    pooling: for weights: what they were trained to be read with (`greenexp.backbones`)
    """

    name: str
    about: str
    licence: str
    citation: str
    files: tuple[AssetFile, ...]
    sources: tuple[Source, ...]
    pooling: Literal["cls", "mean", "pooler"] | None = None

    @property
    def size_b(self) -> int:
        """Bytes of all files."""
        return sum(file.size_b for file in self.files)

    @property
    def digest(self) -> str:
        """sha256 over names and hashes: equal assets have equal digests, wherever they came from."""
        listing = "".join(f"{file.sha256}  {file.name}\n" for file in sorted(self.files, key=lambda file: file.name))
        return hashlib.sha256(listing.encode()).hexdigest()
