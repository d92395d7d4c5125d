"""Fixtures every test may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would fail a right answer on a busy machine.
settings.register_profile("greenexp", deadline=None)
settings.load_profile("greenexp")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("reference/evp/x.json")`: a file beside the checkout, or a skip that says which one is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs ../shared/{name} beside the checkout")
        return path

    return find
