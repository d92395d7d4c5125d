"""One migrated MLflow database per test session, copied for each test: making one takes seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import write_journal
from sqlalchemy import event

from greenexp.tracking.server import connect, default_uri


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlflow-template")
    connect(default_uri(folder))
    return folder / "mlflow.db"


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """`database("a") -> uri` of a fresh, migrated database in a folder of its own; closed after the test."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    uris = []

    def fresh(name: str = "mlflow") -> str:
        folder = tmp_path / "databases" / name
        folder.mkdir(parents=True)
        shutil.copy(template, folder / "mlflow.db")
        uris.append(default_uri(folder))
        connect(uris[-1])
        engine = SqlAlchemyStore._engine_map[uris[-1]]
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        engine.dispose()  # connections made before the listener: what is tested does not need a durable database
        return uris[-1]

    yield fresh
    for uri in uris:
        engine = SqlAlchemyStore._engine_map.pop(uri, None)
        if engine is not None:
            engine.dispose()


@pytest.fixture
def uri(database: Callable[[str], str]) -> str:
    return database("mlflow")


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Path:
    """A folder with the journal of the standard small sweep."""
    folder = tmp_path / "sweep"
    write_journal(folder)
    return folder


@pytest.fixture
def client(uri: str) -> Any:
    return connect(uri)
