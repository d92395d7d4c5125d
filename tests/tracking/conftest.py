"""One migrated MLflow database per test session, copied for each test: making one takes seconds."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import write_journal
from sqlalchemy import event

from greenexp.tracking.server import connect, default_uri
from greenexp.tracking.sync import sync

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlflow-template")
    connect(default_uri(folder))
    return folder / "mlflow.db"


def copied(template: Path, folder: Path) -> str:
    """The address of a fresh copy, which does not wait for the disk: no test needs a database that survives a crash."""
    folder.mkdir(parents=True)
    shutil.copy(template, folder / "mlflow.db")
    uri = default_uri(folder)
    connect(uri)
    engine = SqlAlchemyStore._engine_map[uri]
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    engine.dispose()  # the connections made before the listener
    return uri


@pytest.fixture(scope="module")
def fresh(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """`fresh() -> uri` of a migrated, empty database in a folder of its own; closed after the module's tests."""
    uris: list[str] = []

    def make() -> str:
        uris.append(copied(template, tmp_path_factory.mktemp("mlflow") / "database"))
        return uris[-1]

    yield make
    for uri in uris:
        SqlAlchemyStore._engine_map.pop(uri).dispose()


@pytest.fixture(scope="module")
def standard(fresh: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(folder, uri) of the standard small sweep, synced; read-only."""
    folder, uri = tmp_path_factory.mktemp("standard"), fresh()
    write_journal(folder)
    sync(folder, uri, "standard")
    return folder, uri


@pytest.fixture
def uri(fresh: Callable[[], str]) -> str:
    return fresh()


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Path:
    """A folder with the journal of the standard small sweep."""
    folder = tmp_path / "sweep"
    write_journal(folder)
    return folder


@pytest.fixture
def client(uri: str) -> Any:
    return connect(uri)
