"""Models of other sweeps on their way to nodes that share no folder: sent with the session, checked by hash.

A node keeps them in the user's cache, where all workers of all sweeps find them. A worker holds a shared lock on each
that it trains with; the kernel lets go of it when the process ends, however it ends. Whoever puts a model there removes
those that nobody holds: they are sent again with the session that needs them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_cache_path

from greenexp.errors import CheckpointError, StateError
from greenexp.journal.chosen_model import chosen_model, deliver, is_delivered
from greenexp.journal.origins import identity, origins_of
from greenexp.model.files import verify_model
from greenexp.plan import Plan
from greenexp.records.manifests import MODEL_MANIFEST

_LOCK, _DRAFT = ".lock", ".draft-"
_HELD: dict[Path, int] = {}
"""Models of the cache that this process trains with -> the open file of the lock on each."""


class SentModel(NamedTuple):
    """A saved model. identity: as of `journal.origins`; files: name -> content."""

    identity: str
    files: Mapping[str, bytes]


def packed_origins(plan: Plan) -> dict[str, SentModel]:
    """What trials of `plan` begin with, by the name that the sweep file has for it. Raises InputError."""
    sources = {source for settings in plan.possible_settings() for source in origins_of(settings).values()}
    return {source: _packed(source) for source in sorted(sources)}


def install_origins(sent: Mapping[str, Any], fetch: Callable[[Any], SentModel]) -> None:
    """Put what was sent, source -> where it waits, into this machine's cache, as far as this process lacks it.

    fetch: gets the model from where it waits
    Raises as `install_origin` does.
    """
    for source, waiting in sent.items():
        if not is_delivered(source):
            install_origin(source, fetch(waiting))


def install_origin(source: str, sent: SentModel) -> Path:
    """Put a model into this machine's cache, unless it is there whole, and let `source` mean it; the folder.

    Models there that no process trains with are removed.
    Raises StateError where the disk does not take it, CheckpointError where it did not arrive whole.
    """
    target = user_cache_path("greenexp") / "models" / sent.identity[:32]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _hold(target)
        _remove_unheld(target.parent)
    except OSError as error:
        raise StateError(f"{source} cannot be kept in {target}: {error.strerror or error}") from error
    if not _is_whole(target, sent.identity):
        try:
            with tempfile.TemporaryDirectory(prefix=f"{_DRAFT}{target.name}-", dir=target.parent) as scratch:
                draft = Path(scratch) / "model"
                draft.mkdir()
                for name, content in sent.files.items():
                    (draft / name).write_bytes(content)
                verify_model(draft)
                if target.exists():
                    shutil.rmtree(target, ignore_errors=True)  # damaged, or of a worker that was killed
                draft.replace(target)
        except OSError as error:
            if not _is_whole(target, sent.identity):  # else another worker of this machine was faster
                raise StateError(f"{source} cannot be kept in {target}: {error.strerror or error}") from error
    deliver(source, target)
    return target


def _hold(target: Path) -> None:
    """Keep others from removing `target` while this process lives; waits for one that is removing it now."""
    if target in _HELD:
        return
    lock = os.open(_lock_of(target), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a file system without locks: there, nobody gets the lock that removing needs either
        fcntl.flock(lock, fcntl.LOCK_SH)
    _HELD[target] = lock


def _remove_unheld(cache: Path) -> None:
    """Remove the models of `cache` that no process holds, and what was left of those that were killed on the way."""
    for lock in cache.glob(f".*{_LOCK}"):
        target = cache / lock.name[1 : -len(_LOCK)]
        drafts = list(cache.glob(f"{_DRAFT}{target.name}-*"))
        if target in _HELD or not (drafts or target.exists()):
            continue
        with lock.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            for folder in (target, *drafts):
                shutil.rmtree(folder, ignore_errors=True)


def _lock_of(target: Path) -> Path:
    """The lock's file stays when the model goes: one who waits for it and a later one must mean the same file."""
    return target.with_name(f".{target.name}{_LOCK}")


def _packed(source: str) -> SentModel:
    folder = chosen_model(Path(source))
    verify_model(folder)
    return SentModel(identity(source), {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})


def _is_whole(folder: Path, wanted: str) -> bool:
    manifest = folder / MODEL_MANIFEST
    try:
        if hashlib.sha256(manifest.read_bytes()).hexdigest() != wanted:
            return False
        verify_model(folder)
    except (OSError, CheckpointError):
        return False
    return True
