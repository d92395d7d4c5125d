"""What a trial reads: its task, tokenised as its backbone wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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
