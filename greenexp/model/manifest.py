"""What a saved model's `greenexp.json` says, and whether the files beside it are those that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenexp.errors import CheckpointError
from greenexp.records.manifests import EXIT_WEIGHTS
from greenexp.records.manifests import MODEL_MANIFEST as MANIFEST

FORMAT = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `greenexp.json` says. Raises CheckpointError where it does not describe a saved model of this format."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: no {MANIFEST}: not a saved model, or one that was never finished") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder}: {MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise CheckpointError(f"{folder}: {MANIFEST} has format {found!r}, this version reads {FORMAT}")
    missing = {"settings", "num_labels", "exit_layers", "files"} - manifest.keys()
    if missing:
        raise CheckpointError(f"{folder}: {MANIFEST} lacks {', '.join(sorted(missing))}")
    files = manifest["files"]
    if not isinstance(files, dict) or not {EXIT_WEIGHTS, "config.json", "model.safetensors"} <= files.keys():
        raise CheckpointError(f"{folder}: {MANIFEST} does not say what the hashes of the files are")
    if type(manifest["num_labels"]) is not int or manifest["num_labels"] < 1:
        raise CheckpointError(f"{folder}: {MANIFEST} has num_labels {manifest['num_labels']!r}: expected 1 or more")
    return manifest


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """CheckpointError if a file that the manifest names is missing, or its hash is another one."""
    for name, digest in manifest["files"].items():
        verify_file(folder / name, digest)


def verify_file(file: Path, digest: str) -> None:
    """The same of one file."""
    try:
        found = sha256_of(file)
    except OSError as error:
        raise CheckpointError(f"{file.parent}: {file.name} is missing or cannot be read: {error}") from error
    if found != digest:
        raise CheckpointError(f"{file.parent}: {file.name} is damaged or half-written (its hash is not the saved one)")


def sha256_of(file: Path) -> str:
    """Its hash, hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
