"""A checkpoint: tensors in safetensors, the rest in JSON, and a manifest that makes the two one thing.

    tensors-<hash>.safetensors    weights, optimiser, what a method learns
    state-<hash>.json             counters, scores, whose it is
    manifest.json                 the names and full hashes of the two, put in place last, in one move

So a folder holds the old checkpoint or the new one, whatever happens in between. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from greenexp.assets.tensors import header_problem
from greenexp.durable import make_folder, write_whole
from greenexp.errors import CheckpointError, library_failures
from greenexp.records.manifests import CHECKPOINT_MANIFEST

FORMAT = 1


def write_checkpoint(folder: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write both into `folder`, replacing the checkpoint there at the last moment.

    state: plain JSON values. Raises CheckpointError when the disk does not take it; an older checkpoint then stays.
    """
    contents = dict(zip(_SUFFIX, _contents(tensors, state), strict=True))
    hashes = {kind: hashlib.sha256(content).hexdigest() for kind, content in contents.items()}
    names = {kind: f"{kind}-{hashes[kind][:16]}{_SUFFIX[kind]}" for kind in contents}
    manifest = {"format": FORMAT, "files": {names[kind]: hashes[kind] for kind in contents}}
    try:
        make_folder(folder)
        for kind, content in contents.items():
            write_whole(folder / names[kind], content)
        write_whole(folder / CHECKPOINT_MANIFEST, json.dumps(manifest, indent=1).encode())
    except OSError as error:
        raise CheckpointError(f"checkpoint {folder} cannot be written: {error.strerror or error}") from error
    _drop_others(folder, {*names.values(), CHECKPOINT_MANIFEST})


def encoded(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> bytes:
    """Both as one text of bytes, for another process; `decoded` is the inverse."""
    of_tensors, of_state = _contents(tensors, state)
    return len(of_state).to_bytes(8) + of_state + of_tensors


def decoded(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What was `encoded`."""
    end = 8 + int.from_bytes(content[:8])
    return safetensors.torch.load(content[end:]), json.loads(content[8:end])


def _contents(tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Of the two files."""
    own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(own), json.dumps(state, sort_keys=True, allow_nan=False).encode()


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the state. Raises CheckpointError if the folder holds no whole checkpoint of this format."""
    manifest = _read_manifest(folder)
    contents: dict[str, bytes] = {}
    for name, expected in manifest["files"].items():
        content = _read(folder / Path(name).name)
        if hashlib.sha256(content).hexdigest() != expected:
            raise CheckpointError(f"checkpoint {folder} is damaged: {name} does not have the hash it was written with")
        contents[name.partition("-")[0]] = content
    if contents.keys() != _SUFFIX.keys():
        raise CheckpointError(f"checkpoint {folder} is damaged: its manifest does not name tensors and state")
    if problem := header_problem(contents["tensors"], len(contents["tensors"])):
        raise CheckpointError(f"checkpoint {folder} cannot be understood: its file of tensors: {problem}")
    with library_failures(lambda why: CheckpointError(f"checkpoint {folder} cannot be understood: {why}")):
        return safetensors.torch.load(contents["tensors"]), json.loads(contents["state"])


def check_owner(folder: Path, state: Mapping[str, Any], owner: Mapping[str, str]) -> None:
    """Raises CheckpointError unless the state says the same of itself as `owner`, name -> text."""
    for what, own in owner.items():
        if state.get(what) != own:
            raise CheckpointError(
                f"checkpoint {folder} belongs to trial {state.get('trial')} with another {what}: "
                f"{str(state.get(what))[:12]}, not {own[:12]}"
            )


_SUFFIX = {"tensors": ".safetensors", "state": ".json"}


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(folder / CHECKPOINT_MANIFEST))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {folder} is damaged: {CHECKPOINT_MANIFEST} is not JSON") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise CheckpointError(f"checkpoint {folder} is damaged: {CHECKPOINT_MANIFEST} is not a manifest")
    if manifest.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint {folder} has format {manifest.get('format')!r}, expected {FORMAT}")
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"checkpoint {path.parent} is incomplete: it has no {path.name}") from error
    except (OSError, ValueError) as error:  # of a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"checkpoint {path.parent} cannot be read: {reason}") from error


def _drop_others(folder: Path, kept: set[str]) -> None:
    """Remove what older checkpoints left; a leftover harms nobody, so failing to remove it is no error."""
    for path in folder.iterdir():
        if path.name not in kept and path.name.startswith(("tensors-", "state-", ".tensors-", ".state-")):
            with suppress(OSError):
                path.unlink()
