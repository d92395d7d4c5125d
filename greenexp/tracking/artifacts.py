"""Where the artifacts of a database in a file lie: in a folder beside it, wherever both were copied or moved to.

MLflow stores absolute locations, with every experiment and again with every run. After the folder was copied they name
the original one: a writer would write there, and after a move a reader would find nothing. So the experiments that
greenexp made are read from beside the database, and before anything is written their stored locations are made to say
where the database lies now. Experiments that others made, and artifacts on servers, stay where MLflow says they are.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from greenexp.errors import TrackingError
from greenexp.tracking import names
from greenexp.tracking.server import ARTIFACTS, artifacts_beside, sqlite_file

WAIT_S = 20.0
"""For another process that holds the database."""


@dataclass(frozen=True, slots=True)
class RunArtifacts:
    """The artifacts of one run.

    client: an `MlflowClient`; run_id: the run's; stored: their location as MLflow has it
    """

    client: Any
    run_id: str
    stored: str

    @classmethod
    def of(cls, client: Any, run: Any) -> RunArtifacts:
        """Those of a run as MLflow returns it."""
        return cls(client, str(run.info.run_id), run.info.artifact_uri or "")

    def lacks(self, artifact: str) -> bool:
        """Whether it is known to be gone: of a folder on this machine that is seen, of a server it is not."""
        folder = self._beside
        return folder is not None and not (folder / artifact).is_file()

    def fetch(self, artifact: str, target: Path) -> Path | None:
        """The file, copied right into `target`, or None: a database copied without its artifacts is still a record."""
        folder = self._beside
        if folder is not None and (folder / artifact).is_file():
            return Path(shutil.copy(folder / artifact, target))
        with contextlib.suppress(Exception):
            file = Path(self.client.download_artifacts(self.run_id, artifact, str(target)))
            return file.replace(target / file.name)  # some stores keep the artifact's folder, some do not
        return None

    @property
    def _beside(self) -> Path | None:
        folder = artifacts_beside(self.client.tracking_uri)
        inside = _inside(self.stored)
        return None if folder is None or inside is None else folder / inside


def settle_artifacts(uri: str) -> None:
    """Make the stored locations of greenexp's experiments those beside the database, where it was copied or moved.

    Call it before anything is written. Nothing is changed where the locations are right, or at a server.
    Raises TrackingError if the database cannot be written.
    """
    file, folder = sqlite_file(uri), artifacts_beside(uri)
    if file is None or folder is None or not file.is_file():
        return
    _forget_places()
    here = folder.as_uri()
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=WAIT_S)) as database, database:
            for experiment in list(_moved(database, here)):
                database.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (here, experiment)
                )
                query = "SELECT run_uuid, artifact_uri FROM runs WHERE experiment_id = ?"
                _settle_models(database, folder, experiment)
                inside = [(run, _inside(stored or "")) for run, stored in database.execute(query, (experiment,))]
                database.executemany(
                    "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?",
                    [((folder / path).as_uri(), run) for run, path in inside if path is not None],
                )
    except sqlite3.Error as error:
        raise TrackingError(f"cannot write the locations of artifacts into {file}: {error}") from error


def _settle_models(database: sqlite3.Connection, folder: Path, experiment: int) -> None:
    """The same of the experiment's models: `.../mlartifacts/models/MODEL/artifacts`. MLflow 2 has no such table."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'logged_models'").fetchone():
        return
    query = "SELECT model_id, artifact_location FROM logged_models WHERE experiment_id = ?"
    for model, stored in list(database.execute(query, (experiment,))):
        path = _local(stored or "")
        if path is not None and ARTIFACTS in path.parts[-4:-3]:
            place = folder.joinpath(*path.parts[-3:]).as_uri()
            database.execute("UPDATE logged_models SET artifact_location = ? WHERE model_id = ?", (place, model))


def _forget_places() -> None:
    """MLflow remembers by the run alone where its artifacts go, and a copy has runs of the same ids."""
    from mlflow.tracking._tracking_service import utils

    remembered = getattr(utils, "_artifact_repos_cache", None)  # private: another version may have none
    if remembered is not None:
        remembered.clear()


def _moved(database: sqlite3.Connection, here: str) -> Iterator[int]:
    """Experiments of greenexp's whose artifacts are said to lie in such a folder elsewhere."""
    own = {
        row[0]
        for query in (
            f"SELECT experiment_id FROM experiment_tags WHERE key = '{names.ARTIFACTS}'",
            # What was recorded before experiments were marked is known by its runs.
            f"SELECT experiment_id FROM runs JOIN tags USING (run_uuid) WHERE tags.key = '{names.KIND}'",
        )
        for row in database.execute(query)
    }
    for experiment, location in database.execute("SELECT experiment_id, artifact_location FROM experiments"):
        path = _local(location or "")
        if experiment in own and path is not None and path.name == ARTIFACTS and location != here:
            yield experiment


def _inside(stored: str) -> Path | None:
    """The run's part of a location `.../mlartifacts/RUN/artifacts`, None of any other."""
    path = _local(stored)
    return None if path is None or ARTIFACTS not in path.parts[-3:-2] else Path(*path.parts[-2:])


def _local(location: str) -> Path | None:
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" and not parts.netloc else None
