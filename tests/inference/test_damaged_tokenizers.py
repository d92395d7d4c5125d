"""A saved tokenizer that cannot be used: a clear error when the model is opened, whatever the library raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Tokenizer, models, processors

from greenexp.errors import CheckpointError, InputError, library_failures
from greenexp.inference.text import TextReader
from greenexp.model import Serving


def tokenizer() -> dict[str, Any]:
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1}, "[UNK]"))
    made.post_processor = processors.TemplateProcessing("[CLS] $A", "[CLS] $A $B", [("[CLS]", 1)])
    found: dict[str, Any] = json.loads(made.to_str())
    return found


def opened(text: str, *, pairs: bool = False) -> TextReader:
    return TextReader(Serving(text, ("no", "yes"), 20, 0, pairs, (1,)))


def test_one_that_is_whole_reads() -> None:
    assert opened(json.dumps(tokenizer())).encode(["a"])[0].ids == [1, 0]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{", '{"version": "1.0"}', "\x00"])
def test_what_is_no_tokenizer(text: str) -> None:
    with pytest.raises(CheckpointError, match="tokenizer"):
        opened(text)


@pytest.mark.parametrize("pairs", [False, True])
def test_one_at_which_the_library_panics(pairs: bool) -> None:
    """The text names a special token that is not among those that it defines."""
    damaged = tokenizer()
    damaged["post_processor"]["special_tokens"] = {}
    with pytest.raises(CheckpointError, match="tokenizer"):
        opened(json.dumps(damaged), pairs=pairs)


def test_what_is_no_failure_of_the_library_passes() -> None:
    with pytest.raises(KeyboardInterrupt), library_failures(InputError):
        raise KeyboardInterrupt
    with pytest.raises(CheckpointError, match="ours"), library_failures(InputError):
        raise CheckpointError("ours")
    with pytest.raises(InputError, match=r"^ZeroDivisionError: "), library_failures(InputError):
        _ = 1 / 0
