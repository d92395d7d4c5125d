"""Fixtures every test may use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from served_mlflow import served_mlflow

# A deadline would fail a right answer on a busy machine.
settings.register_profile("greenexp", deadline=None)
settings.load_profile("greenexp")

LONGEST = ("test_sweep_through_the_command_line.py", "test_readme_commands.py", "test_python_document.py")
"""Files of tests that start Ray, the longest first: handed out last, one of them would run alone at the end."""

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Any]:
    """`reference("patience")`: what tests/reference/patience.json holds. Read anew at each call, so never changed."""
    return lambda name: json.loads((HERE / "reference" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real MLflow server, one for all tests of a session: each names an experiment of its own."""
    with served_mlflow(tmp_path_factory.mktemp("mlflow-server")) as address:
        yield address


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("data/elue")`: a file or folder beside the checkout, or a skip that says which one is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs ../shared/{name} beside the checkout")
        return path

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files before the others, which keep their order."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
