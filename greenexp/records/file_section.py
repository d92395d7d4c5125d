"""What all sections of a sweep file share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class FileSection(BaseModel):
    """Base of all sections: frozen, nothing unknown accepted, no conversion between types, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def as_tuple(values: Any) -> Any:
    """A list of a file as the tuple that a frozen model holds."""
    return tuple(values) if isinstance(values, list) else values
