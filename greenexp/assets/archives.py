"""Single members out of wheels and source distributions: read by name, never unpacked."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from greenexp.assets.asset import AssetFile, UnavailableError

_TAR = ".tar.gz"


def extract(archive: Path, folder: str, files: Sequence[AssetFile], into: Path) -> None:
    """Copy `files`, which lie under `folder` in `archive`, into `into` under their own names.

    folder: in the archive, `/` between parts; a part that ends in .tar.gz is an archive inside the archive
    Only the contents of plain members that are asked for are read and the name written is ours, so that no member can
    lead out of `into`. Raises UnavailableError for an absent or too large member, or a damaged archive.
    """
    try:
        with _opened(archive, folder) as (members, inner):
            for file in files:
                with members.read(f"{inner}/{file.name}") as stream:
                    _copy(stream, into / file.name, file)
    except KeyError as error:
        raise UnavailableError(f"{archive.name} holds no {error.args[0]}") from error
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnavailableError(f"{archive.name} cannot be read: {error}") from error


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def read(self, name: str) -> IO[bytes]:
        try:
            return self._archive.open(name)
        except KeyError:
            raise KeyError(name) from None


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def read(self, name: str) -> IO[bytes]:
        try:
            member = self._archive.getmember(name)
        except KeyError:
            raise KeyError(name) from None
        stream = self._archive.extractfile(member) if member.isfile() else None  # a link's target is not ours to read
        if stream is None:
            raise KeyError(name)
        return stream


@contextmanager
def _opened(archive: Path, folder: str) -> Iterator[tuple[_Zip | _Tar, str]]:
    """The innermost archive on the way to `folder`, and the folder in it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            yield _Zip(zipped), folder
        return
    with tarfile.open(archive, "r:gz") as outer:
        head, found, inner = folder.partition(f"{_TAR}/")
        if not found:
            yield _Tar(outer), folder
            return
        with _Tar(outer).read(head + _TAR) as stream, tarfile.open(fileobj=stream, mode="r:gz") as nested:
            yield _Tar(nested), inner


def _copy(stream: IO[bytes], target: Path, file: AssetFile) -> None:
    """At most one byte more than there should be: what is wrong anyway need not fill the disk."""
    with target.open("xb") as out:
        remaining = file.size_b + 1
        while remaining and (chunk := stream.read(min(remaining, 1 << 20))):
            out.write(chunk)
            remaining -= len(chunk)
    if not remaining:
        raise UnavailableError(f"{file.name} is larger than {file.size_b:,} bytes")


def copy_file(origin: Path, target: Path, file: AssetFile) -> None:
    """`origin` as `target`. Raises UnavailableError if it is not a readable file or too large."""
    try:
        with origin.open("rb") as stream:
            _copy(stream, target, file)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise UnavailableError(f"{origin}: {error.strerror}") from error
