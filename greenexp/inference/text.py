"""From text to token ids, as the model was trained to read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from greenexp.errors import CheckpointError, InputError, library_failures
from greenexp.inference.answers import Tokens
from greenexp.model import Serving


class TextReader:
    """The saved tokenizer of a model; several threads may use it."""

    def __init__(self, serving: Serving) -> None:
        self._pairs = serving.pairs
        with library_failures(lambda why: CheckpointError(f"the model's tokenizer cannot be read: {why}")):
            self._tokenizer = Tokenizer.from_str(serving.tokenizer)
            self._tokenizer.encode_batch([("a", "b") if serving.pairs else "a"])  # what is damaged may only show here

    def encode(self, texts: Sequence[str | Sequence[str]]) -> list[Tokens]:
        """Token ids of each text or pair, cut off as in training. Raises InputError for the wrong kind."""
        wanted: Any = [self._checked(text) for text in texts]
        with library_failures(lambda why: CheckpointError(f"the model's tokenizer cannot read this text: {why}")):
            try:
                found = self._tokenizer.encode_batch(wanted)
            except (TypeError, UnicodeError) as error:
                raise InputError(f"a text is not valid Unicode: {error}") from error
        return [Tokens(one.ids, one.type_ids if self._pairs else None) for one in found]

    def _checked(self, text: Any) -> Any:
        if not self._pairs:
            if isinstance(text, str):
                return text
            raise InputError(f"this model reads single texts; received {_kind(text)}")
        if isinstance(text, Sequence) and not isinstance(text, str) and len(text) == 2:
            first, second = text
            if isinstance(first, str) and isinstance(second, str):
                return first, second
        raise InputError(f"this model reads pairs of texts; received {_kind(text)}")


def _kind(text: Any) -> str:
    if isinstance(text, str):
        return "a single text"
    if isinstance(text, Sequence):
        return f"{len(text)} values, not all of them texts" if len(text) == 2 else f"{len(text)} values"
    return type(text).__name__
