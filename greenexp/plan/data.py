"""What a trial reads: its task, tokenised as its backbone wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from greenexp.errors import InputError, about_field
from greenexp.records.settings import Settings
from greenexp.records.values import canonical_json

if TYPE_CHECKING:
    from greenexp.tasks.data import TaskData
    from greenexp.tasks.prepared import PreparedTask
    from greenexp.tasks.tokens import Keep, TokenisedTask


Prepare = Callable[[Settings], "PreparedTask"]
"""Reads what a trial with these settings trains and is evaluated on."""


def data_key(settings: Settings) -> str:
    """Equal for trials that read the same tokens: same task, same tokeniser, same cut-off."""
    tokeniser = {"name": settings.backbone.name, "source": settings.backbone.options.get("source")}
    content = [settings.task.to_json(), tokeniser, settings.training.max_length]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def prepare_data(settings: Settings) -> PreparedTask:
    """What a trial with these settings trains and is evaluated on: tokens, or images.

    The tokeniser is the one of the backbone's source; a backbone without a source gets one token per word of the
    training texts. Raises InputError if the task or the tokeniser cannot be read.
    """
    from greenexp.methods.adapt import check_reads
    from greenexp.tasks.pixels import PixelTask

    plugin = settings.task.plugin()
    if getattr(plugin, "stream", False) and hasattr(plugin, "content_digest"):
        return _streamed(settings, plugin)
    with about_field("task"):
        task = plugin.load()
    check_reads(settings, task)
    return task if isinstance(task, PixelTask) else _tokenised(settings, task, _tokenizer(settings))


def _streamed(settings: Settings, plugin: Any) -> PreparedTask:
    """The same in files of this machine's cache: the text is read again only where they are not there whole."""
    from greenexp.methods.adapt import check_reads
    from greenexp.tasks.data import TaskData
    from greenexp.tasks.token_store import kept_tokens, tokens_key

    check_reads(settings, TaskData)
    tokenizer = _tokenizer(settings)
    with about_field("task"):
        digest = plugin.content_digest()
    content = [settings.task.to_json(), digest, settings.training.max_length]

    def make(keep: Keep) -> TokenisedTask:
        with about_field("task"):
            task = plugin.load()
        found = _tokenised(settings, task, tokenizer, keep)
        with about_field("task"):
            if plugin.content_digest() != digest:  # else these tokens would be kept as those of the text before
                raise InputError("the text changed while it was read; start again when it is whole")
        return found

    return kept_tokens(tokens_key(content, tokenizer), make)


def _tokenizer(settings: Settings) -> Any:
    """That of the backbone's source; None where there is none."""
    with about_field("backbone"):
        return settings.backbone.plugin().tokenizer()


def _tokenised(settings: Settings, task: TaskData, tokenizer: Any, keep: Keep | None = None) -> TokenisedTask:
    from greenexp.tasks.tokens import MOST_WORDS, TokensInMemory, tokenise, word_tokenizer

    if tokenizer is None:
        texts = chain(task.train.texts, task.train.pairs or ())
        tokenizer = word_tokenizer(texts, task.vocabulary or MOST_WORDS, masks=task.masking is not None)
    with about_field("training.max_length"):
        return tokenise(task, tokenizer, settings.training.max_length, keep or TokensInMemory)


def data_facts(every: Iterable[Settings], prepare: Callable[[Settings], PreparedTask]) -> dict[str, Any]:
    """What the distinct data sets of some trial settings are: `data_key` -> description, fingerprint, split sizes."""
    found: dict[str, Any] = {}
    for settings in every:
        key = data_key(settings)
        if key not in found:
            data = prepare(settings)
            found[key] = {"description": data.description, "fingerprint": data.fingerprint, "rows": _rows(data)}
    return found


def _rows(data: PreparedTask) -> dict[str, int]:
    """Split -> examples."""
    splits = {"train": data.train, "dev": data.dev, "test": data.test}
    return {name: len(split.labels) for name, split in splits.items() if split is not None}


def backbone_assets(settings: Settings) -> tuple[str, ...]:
    """Named assets that building the trial's model reads."""
    return tuple(getattr(settings.backbone.plugin(), "assets", ()))


def task_assets(settings: Settings) -> tuple[str, ...]:
    """Named assets that the trial's task reads."""
    return tuple(getattr(settings.task.plugin(), "assets", ()))
