"""Values as MLflow stores them: text, of limited length."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from greenexp.errors import TrackingError
from greenexp.tracking import names
from greenexp.tracking.names import MAX_PARAM, MAX_TAG, clean


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted path -> value; lists and empty mappings are values."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{path}."))
        else:
            found[path] = value
    return found


def value_text(value: Any, limit: int = MAX_PARAM) -> str:
    """A setting as it reads in a sweep file, cut to `limit` characters with a note of how many there were."""
    return shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)


def shortened(text: str, limit: int) -> str:
    """`text`, cut to `limit` characters with a note of how many there were.

    Characters that a database refuses (NUL, halves of surrogate pairs from a file name that is no UTF-8) are escaped.
    """
    text = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    note = f" ... [cut: {len(text)} characters]"
    return text[: limit - len(note)] + note


def param_texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings as MLflow parameters."""
    return {clean(path): value_text(value) for path, value in flat(settings).items()}


def to_parts(tag: str, value: Any) -> dict[str, str]:
    """`value` as JSON in the tags `tag`, `tag.2`, `tag.3`, ...: as many as it takes."""
    text = json.dumps(value, separators=(",", ":"))
    parts = [text[start : start + MAX_TAG] for start in range(0, len(text), MAX_TAG)]
    return {tag if number == 1 else f"{tag}.{number}": part for number, part in enumerate(parts, start=1)}


def from_parts(tag: str, tags: Mapping[str, str], default: Any = None) -> Any:
    """The value `to_parts` wrote, or `default` if there is none.

    Parts left over from a longer value that once stood there are ignored: reading ends where the JSON ends. Raises
    TrackingError if the text is damaged.
    """
    if tag not in tags:
        tag = names.EARLIER_JSON + tag.removeprefix(names.JSON)
    if tag not in tags:
        return default
    text, number = tags[tag], 2
    while f"{tag}.{number}" in tags:
        text += tags[f"{tag}.{number}"]
        number += 1
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise TrackingError(f"the tag '{tag}' in MLflow is damaged: {error}") from error
    return value
