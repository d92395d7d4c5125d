"""A cache of the test's own, and a catalogue that may be added to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from greenexp.assets import ASSETS, Asset


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the assets are cached in; nothing comes from the user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GREENEXP_ASSETS", raising=False)
    return tmp_path / "cache" / "greenexp" / "assets"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Asset], Asset]:
    """Add an asset to the catalogue for the length of the test."""

    def add(asset: Asset) -> Asset:
        monkeypatch.setitem(ASSETS, asset.name, asset)  # type: ignore[arg-type]  # a dict behind a Mapping
        return asset

    return add
