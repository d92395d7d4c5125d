"""What a trial reads: its task, tokenised as its backbone wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from greenexp.records.trial import canonical_json

if TYPE_CHECKING:
    from greenexp.tasks.tokens import TokenisedTask


def data_key(settings: Mapping[str, Any]) -> str:
    """Equal for trials that read the same tokens: same task, same tokeniser, same cut-off."""
    tokeniser = {name: settings["backbone"].get(name) for name in ("name", "source")}
    content = [settings["task"], tokeniser, settings["training"]["max_length"]]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def prepare_data(settings: Mapping[str, Any]) -> TokenisedTask:
    """The tokens a trial with these settings trains and is evaluated on.

    The tokeniser is the one of the backbone's source; a backbone without a source gets one token per word of the
    training texts. Raises InputError if the task or the tokeniser cannot be read.
    """
    from greenexp.backbones import BACKBONES
    from greenexp.tasks import TASKS
    from greenexp.tasks.tokens import tokenise, word_tokenizer

    fields = dict(settings["task"])
    task = TASKS[fields.pop("name")](**fields).load()
    fields = dict(settings["backbone"])
    tokeniser = BACKBONES[fields.pop("name")](**fields).tokenizer()
    if tokeniser is None:
        tokeniser = word_tokenizer(chain(task.train.texts, task.train.pairs or ()))
    return tokenise(task, tokeniser, int(settings["training"]["max_length"]))


def data_facts(
    every: Iterable[Mapping[str, Any]], prepare: Callable[[Mapping[str, Any]], TokenisedTask]
) -> dict[str, Any]:
    """What the distinct data sets of some trial settings are: `data_key` -> description and fingerprint."""
    found: dict[str, Any] = {}
    for settings in every:
        key = data_key(settings)
        if key not in found:
            data = prepare(settings)
            found[key] = {"description": data.description, "fingerprint": data.fingerprint}
    return found


def backbone_assets(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Named assets that building the trial's model reads."""
    from greenexp.backbones import BACKBONES

    fields = dict(settings["backbone"])
    return tuple(getattr(BACKBONES[fields.pop("name")](**fields), "assets", ()))


def task_assets(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Named assets that the trial's task reads."""
    from greenexp.tasks import TASKS

    fields = dict(settings["task"])
    return tuple(getattr(TASKS[fields.pop("name")](**fields), "assets", ()))
