"""Models of other sweeps on their way to nodes that share no folder: sent with the session, checked by hash."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from greenexp.errors import CheckpointError, StateError
from greenexp.journal.chosen_model import chosen_model, deliver
from greenexp.journal.origins import identity, origins_of
from greenexp.model.files import verify_model
from greenexp.plan import Plan
from greenexp.records.manifests import MODEL_MANIFEST


class SentModel(NamedTuple):
    """A saved model. identity: as of `journal.origins`; files: name -> content."""

    identity: str
    files: Mapping[str, bytes]


def packed_origins(plan: Plan) -> dict[str, SentModel]:
    """What trials of `plan` begin with, by the name that the sweep file has for it. Raises InputError."""
    sources = {source for settings in plan.possible_settings() for source in origins_of(settings).values()}
    return {source: _packed(source) for source in sorted(sources)}


def install_origin(source: str, sent: SentModel) -> Path:
    """Put a model into this machine's cache, unless it is there whole, and let `source` mean it; the folder.

    Raises StateError where the disk does not take it, CheckpointError where it did not arrive whole.
    """
    target = user_cache_path("greenexp") / "models" / sent.identity[:32]
    if not _is_whole(target, sent.identity):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=target.parent) as scratch:
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
