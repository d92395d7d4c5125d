"""Connecting to MLflow: a client, the experiment, and errors that say what is wrong.

MLflow reads its settings from the environment; those below are set when the user has not set them:

* no telemetry; no "View run at" lines on stdout (`set_terminated` prints one per run against a server); no progress
  bar when an artifact is fetched
* an HTTP request is tried once, with a time limit: MLflow would try eight times over minutes, and a repeated
  `create_run` whose answer got lost makes a second run. The writer waits and looks again by itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from greenexp.errors import InputError, TrackingError, did_you_mean
from greenexp.tracking import names
from greenexp.tracking.databases import is_database_server, reach, with_driver
from greenexp.tracking.mounts import refuse_network_file

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
TRIES, PAUSE_S = 4, 1.0
"""Of opening a database that can be reached."""
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
_SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https")
_NOISY = ("mlflow", "alembic")
_COLUMNS = ("metrics.`best_score`", "metrics.`test_score`", "metrics.`total_wall_s`", "metrics.`total_train_flops`")
_SHOWN_AS = {
    names.EXPERIMENT_KIND: names.TRAINING,
    names.TRIALS_VIEW: json.dumps(
        {
            "searchFilter": f"tags.`{names.KIND}` = '{names.TRIAL}'",
            "orderByKey": _COLUMNS[0],
            "orderByAsc": False,
            "selectedColumns": [*_COLUMNS, f"tags.`{names.STATUS}`", f"tags.`{names.CONFIGURATION_NAME}`"],
        }
    ),
}
"""Tags by which MLflow's pages show an experiment; those that it has stay as they are."""
_TOLD = threading.local()
"""by_us: whether this thread is inside `failures_as`. MLflow prints a traceback of every failure of its database."""


def default_uri(folder: Path) -> str:
    """The SQLite database inside a sweep's folder."""
    return sqlite_uri(folder / DATABASE)


def sqlite_uri(file: Path) -> str:
    """The address of a database file; what an address would read otherwise (`?`, `%`) is quoted."""
    return "sqlite:///" + quote(str(file.resolve()), safe="/ :@#")


def absolute(uri: str) -> str:
    """`uri`, a relative SQLite file made absolute: a later `sync` may be started elsewhere."""
    file = sqlite_file(uri)
    return uri if file is None or not str(file) or file.is_absolute() else sqlite_uri(file)


def connect(uri: str) -> Any:
    """An `MlflowClient` for `uri`; creates the tables of a new database. TrackingError if it cannot be reached."""
    _check(uri)
    file = sqlite_file(uri)
    if file is not None and file.exists() and not file.is_file():
        raise TrackingError(f"{file} is no file, so no MLflow database")
    _create_private(file)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with _quiet(), failures_as(uri):
        uri = with_driver(uri)
        _import_mlflow(database=not uri.startswith("http"))
        return _database_client(uri) if is_database_server(uri) else _client(uri)


def _client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _database_client(uri: str) -> Any:
    """A client for a database at a server. Processes that make its tables at one time may disturb each other."""
    reach(uri)
    for _ in range(TRIES - 1):
        with contextlib.suppress(Exception):
            return _client(uri)
        time.sleep(PAUSE_S)
    return _client(uri)


def _create_private(database: Path | None) -> None:
    """An empty file that SQLite takes for a new database, readable by the user alone; what is there stays as it is."""
    if database is None or database.exists() or not database.parent.is_dir():
        return
    with contextlib.suppress(OSError):  # MLflow says what is wrong with it
        os.close(os.open(database, os.O_CREAT | os.O_WRONLY, 0o600))


@functools.cache
def _import_mlflow(*, database: bool) -> None:
    """Import what a client needs without the deprecation warnings of MLflow's libraries.

    Once only: warning filters belong to the whole process, and the writer's thread connects again and again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("mlflow.store.tracking.sqlalchemy_store" if database else "mlflow.tracking")
    logging.getLogger("mlflow.store.db.utils").addFilter(lambda _: not getattr(_TOLD, "by_us", False))


def connect_existing(uri: str) -> Any:
    """`connect` for reading: a database that is not there is an error, where connecting would make an empty one."""
    file = sqlite_file(uri)
    if file is not None and not file.is_file():
        raise TrackingError(f"there is no MLflow database at {file}")
    return connect(uri)


def chosen_experiments(client: Any, uri: str, wanted: Sequence[str]) -> dict[str, str]:
    """Experiment id -> name of those wanted, by name or id; of all if none is. TrackingError names an unknown one."""
    known: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        known.update({str(found.experiment_id): str(found.name) for found in page})
        token = page.token
        if not token:
            break
    for name in wanted:
        if name not in known and name not in known.values():
            raise TrackingError(
                f"{redacted(uri)} has no experiment '{name}'{did_you_mean(name, known.values())} "
                f"(it has: {', '.join(sorted(known.values()))})"
            )
    return {number: name for number, name in known.items() if not wanted or number in wanted or name in wanted}


def refuse_network_database(uri: str) -> None:
    """TrackingError if `uri` is a SQLite file on a network file system, which must not be written."""
    file = sqlite_file(uri)
    if file is not None:
        refuse_network_file(file)


def prepare(uri: str, experiment: str) -> str:
    """The id of the experiment named `experiment`, created if it is new.

    Call it once on the driver before anything else uses the database: processes that open a new one together damage
    it. Artifacts of a new experiment lie beside a SQLite database; a server decides itself.
    Raises TrackingError, within seconds, if MLflow cannot be reached or refuses, and for a file on a network file
    system.
    """
    refuse_network_database(uri)
    client = connect(uri)
    with _quiet(), failures_as(uri):
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return str(_create(client, experiment, artifacts_beside(uri)))
    if found.lifecycle_stage == "active":
        with _quiet(), failures_as(uri):
            for name, text in _SHOWN_AS.items():
                if name not in found.tags:
                    client.set_experiment_tag(found.experiment_id, name, text)
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"the experiment '{experiment}' was deleted in {redacted(uri)}: restore it there, or name another one "
            "under `tracking: experiment:`"
        )
    return str(found.experiment_id)


def _create(client: Any, experiment: str, folder: Path | None) -> str:
    """Create an experiment, or find the one somebody else created in the same moment."""
    try:
        tags = {**_SHOWN_AS, names.PRIMARY_METRIC: "best_score"}
        location = None if folder is None else folder.as_uri()
        tags |= {} if folder is None else {names.ARTIFACTS: "beside the database"}
        return str(client.create_experiment(experiment, artifact_location=location, tags=tags))
    except Exception:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            raise
        return str(found.experiment_id)


def artifacts_beside(uri: str) -> Path | None:
    """The folder beside the database of a SQLite address, else None."""
    file = sqlite_file(uri)
    return None if file is None else file.resolve().parent / ARTIFACTS


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite URI, else None."""
    return Path(unquote(uri.removeprefix("sqlite:///"))) if uri.startswith("sqlite:///") else None


def redacted(uri: str) -> str:
    """`uri` without a password in it."""
    return re.sub(r"(?<=://)[^/@]*@", "...@", uri)


def _check(uri: str) -> None:
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in _SCHEMES and (scheme != "sqlite" or sqlite_file(uri)):
        return
    hint = "; a folder of files is no longer kept up by MLflow: use SQLite" if scheme in {"", "file"} else ""
    raise TrackingError(
        f"'{redacted(uri)}' is no MLflow address: allowed are sqlite:///path/to/mlflow.db, http(s)://host:port, "
        f"postgresql://, mysql:// and mssql://{hint}"
    )


@contextlib.contextmanager
def failures_as(uri: str) -> Iterator[None]:
    """Turn whatever MLflow raises into a TrackingError that names the address; MLflow itself does not print it too."""
    outermost = not getattr(_TOLD, "by_us", False)
    try:
        _TOLD.by_us = True
        yield
    except (TrackingError, InputError):
        raise
    except Exception as error:
        raise TrackingError(f"MLflow at {redacted(uri)}: {told(error)}{_password_hint(error)}") from error
    finally:
        _TOLD.by_us = not outermost


def _password_hint(error: Exception) -> str:
    """Where a password may be missing that a sweep's record does not keep: how to give it."""
    text = str(error).lower()
    if not any(sign in text for sign in ("401", "403", "unauthorized", "password", "authentication")):
        return ""
    return (
        " (a sweep records no password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or name the whole "
        "address: `run --set tracking.uri=...`, `sync --uri ...`)"
    )


def told(error: Exception) -> str:
    """The first line of an error, fit for one line of a terminal."""
    lines = str(error).strip().splitlines()
    return redacted(lines[0][:500]) if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's INFO lines about creating tables from the user.

    Only MLflow's own loggers are touched, and only for the while. A first import sets MLflow's levels, so they are
    set again afterwards.
    """
    before = {name: logging.getLogger(name).level for name in _NOISY}
    chosen = "MLFLOW_LOGGING_LEVEL" in os.environ
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        if not chosen:
            os.environ.pop("MLFLOW_LOGGING_LEVEL", None)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
