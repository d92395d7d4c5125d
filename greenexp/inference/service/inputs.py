"""One example as it comes from outside, checked, and one answer as it leaves: both are JSON.

    {"text": "..."}   {"text": "...", "pair": "..."}   {"ids": [101, 7592, 102]}   "..."

`id` (text or a number) is handed back with the answer; ids of a pair may have `type_ids`, 0 for the first text and 1
for the second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeAlias

from greenexp.errors import InputError, did_you_mean
from greenexp.inference.answers import Answer, Tokens
from greenexp.model.serving import Serving

FIELDS = ("text", "pair", "ids", "type_ids", "id")
Identity: TypeAlias = str | int | float


class Engine(Protocol):
    """What is asked of an `EarlyExitEngine`."""

    serving: Serving | None

    def encode(self, texts: Sequence[str | Sequence[str]]) -> list[Tokens]:
        """Texts, or pairs of them, in token ids."""

    def checked(self, tokens: Tokens) -> object:
        """Raises InputError for what the model cannot take."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example that can be answered: one text or a pair (`texts`), or token ids (`tokens`)."""

    texts: str | tuple[str, str] | None = None
    tokens: Tokens | None = None
    identity: Identity | None = None


def parse_json(content: str | bytes) -> Any:
    """The JSON in `content`. InputError for what is not UTF-8, not JSON (NaN is not), or nested too deeply to read."""
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return json.loads(text, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8: {error.reason} at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise InputError("not read: nested too deeply") from error
    except ValueError as error:  # more digits than Python turns into a number
        raise InputError(f"not read: {str(error).partition(';')[0]}") from error


def read_example(data: Any, engine: Engine, max_text: int, also: tuple[str, ...] = ()) -> Example:
    """`data` (parsed JSON) as an example with texts of at most `max_text` characters.

    also: further fields that the caller knows and has taken out, for messages
    Raises InputError for what is no example, or none that this model can be asked.
    """
    fields = {"text": data} if isinstance(data, str) else data
    if not isinstance(fields, Mapping):
        raise InputError(f"expected an object or a text, received {kind_of(data)}")
    for name in fields:
        if name not in FIELDS:
            known = (*FIELDS, *also)
            raise InputError(f"unknown field {shown(name)}{did_you_mean(name, known)} (known: {', '.join(known)})")
    identity = identity_of(fields)
    if identity is None and fields.get("id") is not None:
        raise InputError(f"'id' must be a text or a finite number, received {kind_of(fields['id'])}")
    if ("text" in fields) == ("ids" in fields):
        raise InputError("expected either 'text' or 'ids'" + (", not both" if "text" in fields else ""))
    if "ids" in fields:
        return Example(tokens=_tokens(fields, engine), identity=identity)
    if "type_ids" in fields:
        raise InputError("'type_ids' belong to 'ids'")
    texts = [_text(name, fields[name], max_text) for name in ("text", "pair") if name in fields]
    if engine.serving is None or not engine.serving.tokenizer:
        raise InputError("this model was saved without its tokenizer, so it reads 'ids' alone")
    if engine.serving.pairs != (len(texts) == 2):
        expected = "pairs of texts: 'pair' is missing" if engine.serving.pairs else "single texts: no 'pair' is allowed"
        raise InputError(f"this model was trained on {expected}")
    return Example(texts=(texts[0], texts[1]) if len(texts) == 2 else texts[0], identity=identity)


def sample_fields(engine: Engine) -> dict[str, Any]:
    """An example that the model can be asked, as JSON."""
    serving = engine.serving
    if serving is not None and serving.tokenizer:
        return {"text": "a first text", "pair": "a second text"} if serving.pairs else {"text": "a text"}
    return {"ids": [0]} if serving is None or not serving.pairs else {"ids": [0], "type_ids": [0]}


def tokens_of(engine: Engine, examples: Sequence[Example]) -> list[Tokens]:
    """All examples in token ids, the texts in one go; too long texts are cut off as in training."""
    texts = [example.texts for example in examples if example.texts is not None]
    encoded = iter(engine.encode(texts) if texts else ())  # a model without a tokenizer is not asked for nothing
    return [example.tokens if example.tokens is not None else next(encoded) for example in examples]


def identity_of(fields: Mapping[str, Any]) -> Identity | None:
    """The `id` of an example, None where there is none or none that can be handed back."""
    value = fields.get("id")
    return value if isinstance(value, str) or _is_number(value) else None


def answer_fields(answer: Answer, identity: Identity | None = None, *, logits: bool = False) -> dict[str, Any]:
    """An answer for JSON. What is not finite (a NaN has no place in JSON) is null."""
    fields: dict[str, Any] = {
        "prediction": finite(answer.prediction),
        "label": answer.label,
        "exit": answer.exit,
        "layer": answer.layer,
        "confidence": finite(answer.confidence),
        "inference_flops": answer.inference_flops,
    }
    if identity is not None:
        fields = {"id": identity, **fields}
    if logits:
        fields["logits"] = [finite(value) for value in answer.logits]
    return fields


def finite(value: float | None) -> float | None:
    """The value, or None where it is none or not finite."""
    return value if value is not None and math.isfinite(value) else None


def kind_of(data: Any) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(data), "a number")


def shown(text: str, length: int = 40) -> str:
    """A piece of the user's text, quoted, short and printable."""
    return ascii(text if len(text) <= length else text[:length] + "...")


def _tokens(fields: Mapping[str, Any], engine: Engine) -> Tokens:
    if "pair" in fields:
        raise InputError("'pair' belongs to 'text'")
    types = _whole_numbers("type_ids", fields["type_ids"]) if "type_ids" in fields else None
    tokens = Tokens(_whole_numbers("ids", fields["ids"]), types)
    engine.checked(tokens)
    return tokens


def _text(name: str, value: Any, max_text: int) -> str:
    if not isinstance(value, str):
        raise InputError(f"'{name}' must be a text, received {kind_of(value)}")
    if len(value) > max_text:
        raise InputError(f"'{name}' has {len(value):,} characters: at most {max_text:,} are allowed")
    if not value.strip():
        raise InputError(f"'{name}' is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"'{name}' holds half a character (a lone surrogate)") from error
    return value


def _whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise InputError(f"'{name}' must be a list of whole numbers, received {kind_of(value)}")
    for place, number in enumerate(value):
        if type(number) is not int or not abs(number) < 2**63:  # a bool is an int to isinstance
            raise InputError(f"{name}[{place}] must be a whole number of 64 bits, received {kind_of(number)}")
    return tuple(value)


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _no_constant(name: str) -> NoReturn:
    raise InputError(f"not JSON: {name} is not a JSON number")
