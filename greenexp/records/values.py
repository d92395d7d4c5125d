"""Single values: what a search may choose for a field, and how values are written down."""

from __future__ import annotations

import json
from typing import Any

Scalar = bool | int | float | str | None
Value = Scalar | tuple[Scalar, ...]
"""What a search may choose for a field."""


def coordinate(value: Any) -> Scalar:
    """What stands for a field's value in tables, names and logs: itself, or a list's text (`[3, 6]`)."""
    if isinstance(value, list | tuple):
        return json.dumps(value, ensure_ascii=False)
    single: Scalar = value
    return single


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Refuses NaN, which equals nothing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
