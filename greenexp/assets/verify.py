"""Whether files are what the catalogue says, by their sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from greenexp.assets.asset import Asset, AssetFile

_Stamp = tuple[int, int, int, int]
_VERIFIED: dict[_Stamp, str] = {}
"""What this process has hashed: file identity (device, inode, size, modification time) -> sha256."""


def faults(asset: Asset, folder: Path) -> list[str]:
    """What is wrong with the asset's files in `folder`, file by file; empty if all are right.

    A file is hashed once per process, and again if its inode, size or modification time changes.
    """
    found = (_fault(folder / file.name, file) for file in asset.files)
    return [fault for fault in found if fault]


def _fault(path: Path, file: AssetFile) -> str:
    try:
        status = path.stat()
        if status.st_size != file.size_b:
            return f"{file.name} has {status.st_size:,} bytes instead of {file.size_b:,}"
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp not in _VERIFIED:
            with path.open("rb") as stream:
                _VERIFIED[stamp] = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{file.name} is not there"
    except OSError as error:
        return f"{file.name} cannot be read ({error.strerror})"
    digest = _VERIFIED[stamp]
    return "" if digest == file.sha256 else f"{file.name} has sha256 {digest[:12]}... instead of {file.sha256[:12]}..."
