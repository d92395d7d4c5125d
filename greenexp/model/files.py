"""A model on disk: a folder that `AutoModel.from_pretrained` reads, plus the exits.

    config.json, model.safetensors   the backbone, in the library's own form
    exits.safetensors                the heads, and the learning-to-exit module of a model that has one
    tokenizer.json                   of a model that can be served as text: what it was trained to read with
    greenexp.json                    what else is needed to rebuild and serve the model, and the hash of each file

Nothing is pickled, and loading executes nothing. `greenexp.json` is written last: without it, or with a hash that does
not match, the folder is half-written and refused.
"""

from __future__ import annotations

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
from greenexp.model.manifest import FORMAT, read_manifest, sha256_of, verify_file, verify_files
from greenexp.model.multi_exit import MultiExitModel
from greenexp.model.reduction import take_form
from greenexp.model.serving import Serving
from greenexp.records.manifests import EXIT_WEIGHTS, MODEL_MANIFEST, TOKENIZER
from greenexp.records.settings import ModelSettings

MANIFEST = MODEL_MANIFEST
EXITS = EXIT_WEIGHTS


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
            "files": {file.name: sha256_of(file) for file in files},
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
    verify_files(folder, read_manifest(folder))


def load_model(folder: Path | str, num_labels: int | None = None, device: str = "cpu") -> MultiExitModel:
    """The model `save_model` wrote, in evaluation mode.

    num_labels: what the caller's task has; a model with another number is refused. None accepts any.
    Raises CheckpointError if a file is missing, damaged, half-written, or does not fit the rest.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if num_labels is not None and manifest["num_labels"] != num_labels:
        raise CheckpointError(f"{folder}: the model has {manifest['num_labels']} labels, the task {num_labels}")
    verify_files(folder, manifest)
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
    manifest = read_manifest(folder)
    if "serving" not in manifest:
        return None
    digest = manifest["files"].get(TOKENIZER)
    if digest is not None:
        verify_file(folder / TOKENIZER, digest)
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
        exit_layers = placed_exits(settings.layers, backbone)
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
