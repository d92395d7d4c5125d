"""What is handed on of a trained model: its card, and a folder with the card that others load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from greenexp.api.folders import new_folder
from greenexp.errors import CheckpointError, InputError
from greenexp.extras import require
from greenexp.report.model_card import CardModel
from greenexp.report.model_card import model_card as written_card
from greenexp.sources.checkpoints import MANIFEST, FoundModel, find_model
from greenexp.sources.tables import read_tables

CARD = "README.md"
HUB = "hub"
SAFE = (".json", ".safetensors")
"""What a folder for others may hold beside its card: text and tensors, nothing that is executed or unpickled."""


def model_card(source: str | Path, *, trial: str | None = None) -> str:
    """The model card of the Hugging Face hub (README.md) for a trained model, with checked metadata.

    >>> from greenexp.api.cards import model_card
    >>> "To be written by the author" in model_card(folder)
    True

    Parameters
    ----------
    source : path or str, required
        A sweep's folder, whose chosen trial that is best on dev is meant, or a model's folder within it.
    trial : str, optional
        Another trial of the sweep.

    Raises
    ------
    InputError
        Where there is no such model, or where it does not lie in its sweep's folder.
    CheckpointError
        If the model's folder cannot be trusted.

    """
    return _card(find_model(source, trial))


def export_hub(source: str | Path, *, trial: str | None = None, out: str | Path | None = None) -> Path:
    """Write a folder that others load: tensors, configuration, tokenizer and card of a trained model.

    >>> from greenexp.api.cards import export_hub
    >>> sorted(path.name for path in export_hub(folder, out=out).iterdir())[:3]
    ['README.md', 'config.json', 'exits.safetensors']

    Parameters
    ----------
    source, trial :
        As of `model_card`.
    out : path, optional
        The folder, which must not hold anything yet; by default `hub/TRIAL` in the sweep's folder.

    Returns
    -------
    path
        The folder. `engine(folder)` and `greenexp predict FOLDER` answer with it, and
        `transformers.AutoModel.from_pretrained(folder)` reads its encoder.

    Raises
    ------
    InputError, CheckpointError
        As `model_card`, and for a folder that holds something or cannot be written.

    """
    found = find_model(source, trial)
    card = _card(found)
    require()
    from greenexp.model.files import verify_model

    verify_model(found.folder)
    place = Path(out) if out is not None else (found.sweep or found.folder) / HUB / found.trial
    manifest = _manifest(found.folder)
    names = [MANIFEST, *manifest["files"]]
    foreign = [name for name in names if Path(name).name != name or Path(name).suffix not in SAFE]
    if foreign:
        raise CheckpointError(f"{found.folder}: {', '.join(foreign)} is neither JSON nor safetensors, so not handed on")
    if "auto_map" in _json(found.folder / "config.json"):
        raise CheckpointError(f"{found.folder}: config.json names code of its own (auto_map), so it is not handed on")
    with new_folder(place) as draft:
        _fill(draft, found.folder, names, card, manifest)
    return place


def _fill(folder: Path, model: Path, names: list[str], card: str, manifest: dict[str, Any]) -> None:
    for name in names[1:]:
        shutil.copyfile(model / name, folder / name)
    (folder / MANIFEST).write_text(json.dumps(_public(manifest), indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    tokenizer = _tokenizer_config(folder, manifest.get("serving"))
    if tokenizer:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer, indent=2) + "\n", encoding="utf-8")


def _public(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the name of the folder that the weights began from in the place of its path."""
    settings = dict(manifest["settings"])
    backbone = dict(settings["backbone"])
    source = backbone.get("source")
    if isinstance(source, str) and source.startswith(("/", "~", ".")):
        backbone["source"] = f"./{Path(source).name}"  # still a folder, and no asset that is called so
    return {**manifest, "settings": {**settings, "backbone": backbone}}


def _tokenizer_config(folder: Path, serving: dict[str, Any] | None) -> dict[str, Any]:
    """What `AutoTokenizer` needs to read `tokenizer.json`; nothing of a model that was saved without one."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if serving is None or not file.is_file():
        return {}
    pad = Tokenizer.from_file(str(file)).id_to_token(int(serving["pad_id"]))
    known = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": int(serving["max_length"])}
    return {**known, "pad_token": pad} if pad else known


def _card(found: FoundModel) -> str:
    require("huggingface_hub")
    if found.sweep is None:
        raise InputError(
            f"{found.folder} does not lie in a sweep's folder (SWEEP/models/TRIAL), whose record the card is made from"
        )
    return written_card(read_tables(str(found.sweep)).tables, CardModel.of(found.trial, _manifest(found.folder)))


def _json(file: Path) -> dict[str, Any]:
    """A mapping of the model, whose hash was checked."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _manifest(folder: Path) -> dict[str, Any]:
    """The model's own file, of which `verify_model` says whether it can be trusted."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if isinstance(manifest, dict) and isinstance(manifest["files"], dict) and int(manifest["num_labels"]) > 0:
            return manifest
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{folder}: {MANIFEST} cannot be read: {error}") from error
    raise CheckpointError(f"{folder}: {MANIFEST} does not describe a model")
