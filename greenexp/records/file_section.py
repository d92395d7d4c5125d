"""What all sections of a sweep file share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FileSection(BaseModel):
    """Base of all sections: frozen, nothing unknown accepted, no conversion between types, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
