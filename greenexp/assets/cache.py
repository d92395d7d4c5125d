"""Where an asset lies on this machine, and how it gets there: whole and verified, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from greenexp.assets.asset import Asset, UnavailableError
from greenexp.assets.catalogue import ASSETS
from greenexp.assets.verify import faults
from greenexp.errors import AssetError, InputError, UnknownNameError, user_path

FOLDERS = "GREENEXP_ASSETS"
"""Environment variable: folders (separated as in PATH) that hold assets, each in a folder of its name."""

LONGEST_WAIT_S = 1800.0
"""For another process that fetches the same asset: 90 MB at 0.4 Mbit/s."""


def locate(name: str) -> Path:
    """The folder with the files of asset `name`, every one of them verified; it is fetched if it is not here yet.

    Tried in order: the folders in GREENEXP_ASSETS, the user's cache, the asset's own sources. Where another process is
    fetching the asset, it waits. Raises AssetError that says what was tried, and UnknownNameError.
    """
    asset = _known(name)
    tried: list[str] = []
    found = _local(asset, tried)
    return found or _admit(asset, lambda draft: _from_sources(asset, draft, tried))


def find(name: str) -> Path | None:
    """Where asset `name` lies, verified, or None if it would have to be fetched. Raises UnknownNameError."""
    return _local(_known(name), [])


def admit(name: str, fill: Callable[[Path], None]) -> Path:
    """Put an asset into the cache from what `fill` writes into an empty folder, unless it is there already."""
    asset = _known(name)
    return _local(asset, []) or _admit(asset, fill)


def require_whole(asset: Asset, folder: Path) -> None:
    """Raise UnavailableError with all that is wrong with the asset's files in `folder`."""
    if wrong := faults(asset, folder):
        raise UnavailableError("; ".join(wrong))


def _known(name: str) -> Asset:
    if name not in ASSETS:
        raise UnknownNameError("asset", name, sorted(ASSETS))
    return ASSETS[name]


def _local(asset: Asset, tried: list[str]) -> Path | None:
    """The asset in the user's folders or in the cache; what is wrong with the folders is added to `tried`."""
    for root in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        try:
            folder = user_path(root) / asset.name
        except InputError as error:
            tried.append(f"{FOLDERS}: {error}")
            continue
        wrong = faults(asset, folder) if folder.is_dir() else ["there is no such folder"]
        if not wrong:
            return folder
        tried.append(f"{FOLDERS} ({folder}): {'; '.join(wrong)}")
    target = _target(asset)
    return target if target.is_dir() and not faults(asset, target) else None


def _target(asset: Asset) -> Path:
    """New hashes, new folder: an older greenexp's files are never in the way."""
    return user_cache_path("greenexp") / "assets" / asset.name / asset.digest[:16]


def _admit(asset: Asset, fill: Callable[[Path], None]) -> Path:
    """Under the asset's lock: fill a draft, verify it, and give it its name in one step."""
    target = _target(asset)
    with _locked(asset, target.parent):
        if target.is_dir() and not faults(asset, target):
            return target  # another process fetched it while this one waited
        try:
            for stale in target.parent.glob(".draft-*"):  # of a process that was killed: nobody else holds the lock
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=target.parent) as scratch:
                draft = Path(scratch) / "files"
                draft.mkdir()
                fill(draft)
                require_whole(asset, draft)
                if target.exists():
                    shutil.rmtree(target)  # damaged
                draft.replace(target)
        except UnavailableError as error:
            raise AssetError(f"asset '{asset.name}' is damaged: {error}") from error
        except OSError as error:
            raise _disk_error(asset, target.parent, error) from error
    return target


@contextmanager
def _locked(asset: Asset, folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LONGEST_WAIT_S, poll_interval=0.2)
    except Timeout:
        raise AssetError(
            f"asset '{asset.name}': another process has been fetching it for {LONGEST_WAIT_S / 60:.0f} minutes; "
            f"look for it, or remove {folder / '.lock'} if there is none"
        ) from None
    except OSError as error:
        raise _disk_error(asset, folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _from_sources(asset: Asset, draft: Path, tried: list[str]) -> None:
    """Fill `draft` from the first source that gives the right files. Raises AssetError that lists all."""
    for source in asset.sources:
        try:
            source.fetch(asset.files, draft)
            require_whole(asset, draft)
        except UnavailableError as error:
            tried.append(f"{source}: {error}")
            _empty(draft.iterdir())
        else:
            return
    lines = "\n".join(f"  {number}. {line}" for number, line in enumerate(tried, start=1))
    raise AssetError(
        f"asset '{asset.name}' ({asset.size_b / 1e6:.1f} MB) is not on this machine and could not be fetched:\n"
        f"{lines}\nFetch it where there is a network, and copy {_target(asset)} from there. Or put "
        f"{', '.join(file.name for file in asset.files)} into a folder {asset.name} and set {FOLDERS} to the folder "
        "that holds it."
    )


def _empty(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _disk_error(asset: Asset, folder: Path, error: OSError) -> AssetError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = f"needs up to {2 * asset.size_b / 1e6:.0f} MB there while it is fetched"
        return AssetError(f"asset '{asset.name}' {need}: {folder} is on a full disk ({error.strerror})")
    return AssetError(
        f"asset '{asset.name}' cannot be kept in {folder}: {error.strerror or error}; set XDG_CACHE_HOME to a folder "
        "that can be written"
    )
