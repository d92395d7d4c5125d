"""Pretrained checkpoints: what a `source` names, and its weights, read once per process."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer, models
from torch import nn
from transformers import PreTrainedConfig
from transformers.utils import logging as library_logging

from greenexp.assets import ASSETS, locate
from greenexp.assets.hub import unreachable_hub
from greenexp.assets.tensors import file_problem
from greenexp.backbones import BACKBONES
from greenexp.errors import InputError, did_you_mean, library_failures, user_path
from greenexp.journal.chosen_model import chosen_model, means_model

_Stamp = tuple[tuple[str, int, int], ...]
_PINNED = re.compile(r"(?P<repository>[^@]+)@(?P<commit>[0-9a-f]{40})")


_WITHOUT_POSITIONS = ("modernbert",)
"""Families that have no table of positions, whatever `position_embedding_type` in a configuration says."""
_ABOUT_PICKLES = (
    ". Only safetensors are read: the older pytorch_model.bin is a pickle, and unpickling runs what is in it. "
    "docs/tasks-and-weights.md shows how to convert it once"
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model of a checkpoint, notes about its weights, and whether its pooler had to be drawn anew."""

    model: Any
    notes: tuple[str, ...] = ()
    new_pooler: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A `source` of a sweep file: an asset's name, a local folder, or a hub id, `owner/name@commit` to pin it.

    The folder of a sweep means its chosen model, and a model's folder, on a node that it was sent to, the copy there.
    where: what the library opens: a folder or a hub id; revision: the commit, None for a folder or the newest
    stamp: of a folder's files, so that changed ones are read again
    """

    source: str
    where: str
    revision: str | None = None
    stamp: _Stamp = ()

    @classmethod
    def of(cls, source: str) -> Checkpoint:
        """An asset is fetched if need be, and every file of it verified. Raises AssetError (an InputError).

        InputError for the folder of a sweep that holds no model.
        """
        if source in ASSETS:
            return cls(source, str(locate(source)), stamp=_stamp(locate(source)))
        folder = user_path(source)
        if means_model(folder):
            folder = chosen_model(folder)
        if folder.is_dir():
            return cls(source, str(folder), stamp=_stamp(folder))
        pinned = _PINNED.fullmatch(source)
        return cls(source, pinned["repository"], pinned["commit"]) if pinned else cls(source, source)

    def config(self, family: str, config_class: Any, attention: str) -> Any:
        """The checkpoint's own config. Raises InputError if it cannot be read or is not that of an encoder of `family`.

        family: the library's `model_type`; config_class: the library's
        """
        self._check_hub()
        try:
            found, _ = PreTrainedConfig.get_config_dict(self.where, revision=self.commit)
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"backbone source '{self.source}'{did_you_mean(self.source, ASSETS)} cannot be read as an asset "
                f"({', '.join(ASSETS)}), a folder or a hub id: {error}"
            ) from error
        if not isinstance(found, dict):
            raise InputError(f"backbone source '{self.source}' cannot be read: its config.json holds no settings")
        kind = found.pop("model_type", None)
        if kind != family:
            # A family may be called otherwise than the library calls its type.
            types = {getattr(BACKBONES[name], "library_type", "") or name: name for name in BACKBONES}
            right = (
                f"write `name: {types[str(kind)]}`" if str(kind) in types else f"backbones are {', '.join(BACKBONES)}"
            )
            raise InputError(f"backbone source '{self.source}' holds a model of type '{kind}', not '{family}': {right}")
        positions = "absolute" if family in _WITHOUT_POSITIONS else found.get("position_embedding_type", "absolute")
        if found.get("is_decoder") or positions != "absolute":
            raise InputError(f"backbone source '{self.source}' is a decoder or has relative positions: not supported")
        with library_failures(lambda why: InputError(f"backbone source '{self.source}' has a damaged config: {why}")):
            return config_class.from_dict(found, name_or_path=self.where, attn_implementation=attention)

    def tokenizer(self, tokenizer_class: Any) -> Any:
        """The checkpoint's tokenizer; tokenizer_class: the library's. Raises InputError."""
        self._check_hub()
        hub = "" if Path(self.where).is_dir() else " (no folder of that name, so taken for a hub id)"
        about = f"backbone source '{self.source}'{hub} has no tokenizer that can be read"
        with library_failures(lambda why: InputError(f"{about}: {why}")):
            if (words := self._word_tokenizer()) is not None:
                return words
            found = tokenizer_class.from_pretrained(self.where, revision=self.commit)
            found("a", "b")  # what is damaged may only show here
            return found

    def _word_tokenizer(self) -> Tokenizer | None:
        """The tokenizer of a folder that has one token per word, as it is: the library would make subwords of it."""
        file = Path(self.where) / "tokenizer.json"
        if not self.stamp or not file.is_file():
            return None
        found = Tokenizer.from_file(str(file))
        return found if isinstance(found.model, models.WordLevel) else None

    def model(self, library_model: Any, config: Any, attention: str, with_pooler: bool) -> LoadedModel:
        """A `library_model` of the caller's own on the CPU, in float32.

        Reading draws nothing. What the checkpoint lacks of the pooler is drawn anew from torch's CPU generator, whether
        the weights were in memory already or not. Raises InputError if other weights are lacking.
        """
        fields = config.to_json_string(use_diff=False)
        pristine, lacks_pooler = _pristine(self, library_model, fields, attention, with_pooler)
        model = copy.deepcopy(pristine)
        if not lacks_pooler:
            return LoadedModel(model, self._notes)
        if (dense := pooler_layer(model)) is None:
            raise ValueError("a pooler without weights cannot lack them")
        nn.init.normal_(dense.weight, std=config.initializer_range)
        nn.init.zeros_(dense.bias)
        note = f"'{self.source}' has no pooler: a newly initialised one is trained"
        return LoadedModel(model, (note, *self._notes), new_pooler=True)

    def _check_hub(self) -> None:
        """InputError where `source` could only be a hub id, and the hub cannot be reached."""
        if self.stamp or Path(self.where).is_dir():
            return
        if why := unreachable_hub(self.where, self.commit):
            raise InputError(
                f"backbone source '{self.source}'{did_you_mean(self.source, ASSETS)} is no asset ({', '.join(ASSETS)}) "
                f"and no folder here, and the hub cannot be reached: {why}"
            )

    @property
    def commit(self) -> str:
        """What the library is asked for."""
        return self.revision or "main"

    @property
    def _notes(self) -> tuple[str, ...]:
        if self.revision is not None or self.stamp:
            return ()
        return (f"'{self.source}' is the newest commit of a hub repository: write {self.source}@COMMIT to pin it",)


@lru_cache(maxsize=2)
def _pristine(
    checkpoint: Checkpoint, library_model: Any, fields: str, attention: str, with_pooler: bool
) -> tuple[Any, bool]:
    """The checkpoint's weights in a model that nobody trains, and whether its pooler is not the checkpoint's.

    A worker trains one trial after another from the same checkpoint: each gets a copy of this one.
    fields, attention: the config, which cannot be hashed
    """
    for file in Path(checkpoint.where).glob("*.safetensors") if checkpoint.stamp else ():
        if problem := file_problem(file):
            raise InputError(f"backbone source '{checkpoint.source}' cannot be read: {file.name}: {problem}")
    try:
        config = library_model.config_class.from_dict(json.loads(fields), attn_implementation=attention)
        with quiet_library(), torch.random.fork_rng(devices=[]):  # its report of keys is judged below
            model, report = library_model.from_pretrained(
                checkpoint.where,
                revision=checkpoint.commit,
                config=config,
                add_pooling_layer=with_pooler,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
            )
    except Exception as error:  # the library raises what it likes on a damaged config or file
        hint = _ABOUT_PICKLES if "safetensors" in str(error) and not isinstance(error, SafetensorError) else ""
        raise InputError(f"backbone source '{checkpoint.source}' cannot be read: {error}{hint}") from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise InputError(f"backbone source '{checkpoint.source}' lacks weights: {', '.join(missing[:5])}")
    return model, bool(report["missing_keys"])


def pooler_layer(model: Any) -> nn.Linear | None:
    """The linear layer of a library model's pooler; None without a pooler, or with one that has no weights."""
    pooler = model.pooler
    found: nn.Linear | None = pooler if hasattr(pooler, "in_features") else getattr(pooler, "dense", None)
    return found


def _stamp(folder: Path) -> _Stamp:
    """Name, size and modification time of each file."""
    found = ((path.name, path.stat()) for path in sorted(folder.iterdir()))
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in found)


@contextmanager
def quiet_library() -> Iterator[None]:
    """The library without progress bars and reports, put back afterwards."""
    level, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(level)
        if bars:
            library_logging.enable_progress_bar()
