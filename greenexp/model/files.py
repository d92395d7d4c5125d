"""A model on disk: a folder that `AutoModel.from_pretrained` reads, plus the exits.

    config.json, model.safetensors   the backbone, in the library's own form
    exits.safetensors                the heads, and the learning-to-exit module of a model that has one
    tokenizer.json                   of a model that can be served as text: what it was trained to read with
    greenexp.json                    what else is needed to rebuild and serve the model, and the hash of each file

Nothing is pickled, and loading executes nothing. `greenexp.json` is written last: without it, or with a hash that does
not match, the folder is half-written and refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from greenexp.assets.tensors import file_problem
from greenexp.durable import make_folder, move_whole
from greenexp.errors import CheckpointError, InputError, library_failures
from greenexp.model.build import build_exits, placed_exits
from greenexp.model.multi_exit import MultiExitModel
from greenexp.model.reduction import take_form
from greenexp.model.serving import Serving
from greenexp.records.manifests import EXIT_WEIGHTS, MODEL_MANIFEST
from greenexp.records.settings import ModelSettings

MANIFEST = MODEL_MANIFEST
EXITS = EXIT_WEIGHTS
TOKENIZER = "tokenizer.json"
FORMAT = 1


def save_model(model: MultiExitModel, folder: Path | str, serving: Serving | None = None) -> None:
    """Write `model` into `folder`, over an older one if need be; a reader sees all of it or a CheckpointError.

    serving: what it takes to serve it; None: it can be loaded, and asked with token ids
    Raises CheckpointError if the disk does not take it; nothing of the attempt then stays.
    """
    folder = Path(folder)
    try:
        make_folder(folder)
        draft = Path(tempfile.mkdtemp(prefix=".greenexp-", dir=folder))
    except OSError as error:
        raise CheckpointError(f"{folder}: the model cannot be written: {error}") from error
    try:
        if model.settings.form is None:
            model.backbone.save(draft)
        else:
            model.backbone.save_cut(draft)
        save_file({name: value.contiguous() for name, value in model.exit_state().items()}, draft / EXITS)
        if serving is not None and serving.tokenizer:
            (draft / TOKENIZER).write_text(serving.tokenizer, encoding="utf-8")
        files = sorted(draft.iterdir())
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "settings": model.settings.to_json(),
            "num_labels": model.num_labels,
            "exit_layers": list(model.exit_layers),
            "files": {file.name: _sha256(file) for file in files},
        }
        if serving is not None:
            manifest["serving"] = serving.facts()
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        readable = stat.S_IMODE((draft / MANIFEST).stat().st_mode)  # safetensors makes files for their owner alone
        move_whole((*files, draft / MANIFEST), folder, readable)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: the model cannot be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def verify_model(folder: Path | str) -> None:
    """CheckpointError if a file of the model that `save_model` wrote is missing, damaged or half-written."""
    folder = Path(folder)
    for name, digest in _manifest(folder)["files"].items():
        _verify(folder / name, digest)


def load_model(folder: Path | str, num_labels: int | None = None, device: str = "cpu") -> MultiExitModel:
    """The model `save_model` wrote, in evaluation mode.

    num_labels: what the caller's task has; a model with another number is refused. None accepts any.
    Raises CheckpointError if a file is missing, damaged, half-written, or does not fit the rest.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if num_labels is not None and manifest["num_labels"] != num_labels:
        raise CheckpointError(f"{folder}: the model has {manifest['num_labels']} labels, the task {num_labels}")
    for name, digest in manifest["files"].items():
        _verify(folder / name, digest)
    with library_failures(lambda why: CheckpointError(f"{folder}: {MANIFEST} does not describe a model: {why}")):
        try:
            model = _rebuilt(folder, manifest)
        except InputError as error:
            raise CheckpointError(f"{folder}: {MANIFEST} does not describe a model: {error}") from error
    return model.to(device).eval()


def load_serving(folder: Path | str) -> Serving | None:
    """What it takes to serve the model in `folder`; None if it was saved without.

    Raises CheckpointError if the folder cannot be trusted.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if "serving" not in manifest:
        return None
    digest = manifest["files"].get(TOKENIZER)
    if digest is not None:
        _verify(folder / TOKENIZER, digest)
    try:
        tokenizer = "" if digest is None else (folder / TOKENIZER).read_text(encoding="utf-8")
        return Serving.of(manifest["serving"], tokenizer)
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder}: {MANIFEST} does not say how to serve the model: {error}") from error


def _rebuilt(folder: Path, manifest: dict[str, Any]) -> MultiExitModel:
    settings = ModelSettings.from_json(manifest["settings"])
    with torch.random.fork_rng(devices=[]):  # the weights drawn here are overwritten
        plugin = settings.backbone.plugin()
        backbone = (
            plugin.load(folder) if settings.form is None else plugin.load(folder, partial(take_form, settings.form))
        )
        exit_layers = placed_exits(settings.layers, backbone.num_layers)
        heads, learned = build_exits(settings, exit_layers, backbone, manifest["num_labels"])
    if list(exit_layers) != manifest["exit_layers"]:
        raise CheckpointError(f"{folder}: exits at layers {list(exit_layers)}, but saved {manifest['exit_layers']}")
    model = MultiExitModel(backbone, heads, exit_layers, manifest["num_labels"], settings, learned)
    with library_failures(
        lambda why: CheckpointError(f"{folder}: the exits cannot be read or do not fit the model: {why}")
    ):
        if problem := file_problem(folder / EXITS):
            raise CheckpointError(f"{folder}: {EXITS} cannot be read: {problem}")
        model.load_exit_state(load_file(folder / EXITS))
    return model


def _manifest(folder: Path) -> dict[str, Any]:
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
    if not isinstance(files, dict) or not {EXITS, "config.json", "model.safetensors"} <= files.keys():
        raise CheckpointError(f"{folder}: {MANIFEST} does not say what the hashes of the files are")
    if type(manifest["num_labels"]) is not int or manifest["num_labels"] < 1:
        raise CheckpointError(f"{folder}: {MANIFEST} has num_labels {manifest['num_labels']!r}: expected 1 or more")
    return manifest


def _verify(file: Path, digest: str) -> None:
    try:
        found = _sha256(file)
    except OSError as error:
        raise CheckpointError(f"{file.parent}: {file.name} is missing or cannot be read: {error}") from error
    if found != digest:
        raise CheckpointError(f"{file.parent}: {file.name} is damaged or half-written (its hash is not the saved one)")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
