"""An asset from one machine to another: as bytes by file name, checked by hash on arrival."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from greenexp.assets.cache import admit, locate
from greenexp.assets.catalogue import ASSETS


def pack(name: str) -> dict[str, bytes]:
    """The files of asset `name`, by name. Raises AssetError if it cannot be had."""
    folder = locate(name)
    return {file.name: (folder / file.name).read_bytes() for file in ASSETS[name].files}


def install(name: str, files: Mapping[str, bytes]) -> Path:
    """Put what `pack` gave into this machine's cache, unless it is there; the folder it is in.

    Nothing is asked of any network. Raises AssetError if a file is missing or not the one the catalogue names.
    """

    def fill(draft: Path) -> None:
        for file in ASSETS[name].files:
            if file.name in files:
                (draft / file.name).write_bytes(files[file.name])

    return admit(name, fill)
