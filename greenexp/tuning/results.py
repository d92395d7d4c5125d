"""Where a worker leaves what it makes: in the results folder itself, or on its own disk and from there to the driver.

Nodes of a cluster need not share a folder. What a worker has written goes through Ray's object store to an actor on the
driver's node, which puts it into the results folder before the report that names it reaches the journal.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from greenexp.durable import make_folder, move_whole
from greenexp.errors import StateError
from greenexp.records.manifests import CHECKPOINT_MANIFEST, MODEL_MANIFEST

DRAFTS = ".arriving-"
_LAST = (MODEL_MANIFEST, CHECKPOINT_MANIFEST)
_KEEPER_RESTARTS = 10


class ResultFile(NamedTuple):
    """A file on its way: its path relative to the results folder, and its content."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class SharedResults:
    """The results folder, for workers on the driver's machine.

    folder: where a worker writes
    """

    folder: Path

    def settle(self) -> None:
        """What has been written is where it belongs already."""

    @contextlib.contextmanager
    def fetched(self, relative: str) -> Iterator[Path]:
        """A folder of the results, where it can be read."""
        yield self.folder / relative

    def log(self, trial: str, text: str) -> None:
        """A line to the trial's log. A full disk must not fail a trial for the sake of its log."""
        with contextlib.suppress(OSError):
            append_log(self.folder, trial, text)

    def close(self) -> None:
        """Nothing lies anywhere else."""


class DeliveredResults:
    """The results folder of a driver on another machine; a worker writes on its own disk.

    keeper: the actor that holds the folder (`start_keeper`)
    """

    def __init__(self, keeper: Any) -> None:
        self._keeper = keeper
        self._folder: Path | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Every process has a folder of its own."""
        return DeliveredResults, (self._keeper,)

    @property
    def folder(self) -> Path:
        """Where a worker writes: a folder on its own disk, empty again after `settle`."""
        if self._folder is None:
            with _own_disk():
                self._folder = Path(tempfile.mkdtemp(prefix="greenexp-"))
        return self._folder

    def settle(self) -> None:
        """Return when everything that was written lies in the results folder; it is then no longer here.

        Raises StateError if the driver's disk does not take it, or the driver cannot be reached.
        """
        with _own_disk():
            found = [path for path in self.folder.rglob("*") if path.is_file() and not _is_draft(path, self.folder)]
            found.sort(key=lambda path: (path.name in _LAST, path))
            files = [ResultFile(path.relative_to(self.folder).as_posix(), path.read_bytes()) for path in found]
        if files:
            _answer(lambda: self._keeper.write.remote(files))
        with _own_disk():
            for path in found:
                path.unlink()

    @contextlib.contextmanager
    def fetched(self, relative: str) -> Iterator[Path]:
        """A copy of a folder of the results for the while; empty if there is none."""
        files = _answer(lambda: self._keeper.read.remote(relative))
        with _own_disk():
            scratch = Path(tempfile.mkdtemp(prefix="greenexp-"))
        try:
            with _own_disk():
                for file in files:
                    path = scratch / file.path
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(file.content)
            yield scratch / relative
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def log(self, trial: str, text: str) -> None:
        """A line to the trial's log, sent and not waited for."""
        with contextlib.suppress(RayError):
            self._keeper.log.remote(trial, text)

    def close(self) -> None:
        """Delete the folder on this disk."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


Results = SharedResults | DeliveredResults


class ResultsKeeper:
    """The actor that holds the results folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for draft in folder.glob(f"{DRAFTS}*"):
            shutil.rmtree(draft, ignore_errors=True)

    def write(self, files: Sequence[ResultFile]) -> None:
        """Put files where they belong, each whole and on disk, those of one folder in their order."""
        groups: dict[Path, list[ResultFile]] = {}
        for file in files:
            groups.setdefault(_within(self._folder, file.path).parent, []).append(file)
        for folder, members in groups.items():
            try:
                self._write_folder(folder, members)
            except OSError as error:
                raise StateError(f"{folder} cannot be written: {error.strerror or error}") from error

    def read(self, relative: str) -> list[ResultFile]:
        """All files of a folder that can be read, none if there is no such folder.

        What is left out, because the driver deletes it or the disk is damaged, is missed by whoever reads the rest.
        """
        folder = _within(self._folder, relative)
        found = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not _is_draft(path, folder)):
            with contextlib.suppress(OSError):
                found.append(ResultFile(path.relative_to(self._folder).as_posix(), path.read_bytes()))
        return found

    def log(self, trial: str, text: str) -> None:
        """A line to a trial's log."""
        with contextlib.suppress(OSError):
            append_log(self._folder, trial, text)

    def _write_folder(self, folder: Path, files: Sequence[ResultFile]) -> None:
        draft = Path(tempfile.mkdtemp(prefix=DRAFTS, dir=self._folder))
        try:
            paths = [draft / PurePosixPath(file.path).name for file in files]
            for path, file in zip(paths, files, strict=True):
                path.write_bytes(file.content)
            mode = stat.S_IMODE(paths[0].stat().st_mode)
            try:
                make_folder(folder)
                move_whole(paths, folder, mode)
            except FileNotFoundError:  # the driver has just deleted the folder of a trial that it has stopped
                make_folder(folder)
                move_whole([path for path in paths if path.exists()], folder, mode)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def start_keeper(folder: Path) -> Any:
    """The actor that holds `folder`, on this process's node. Ray must be up."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "scheduling_strategy": here, "max_restarts": _KEEPER_RESTARTS, "max_task_retries": -1}
    return ray.remote(ResultsKeeper).options(**options).remote(folder.resolve())


def append_log(results: Path, trial: str, text: str) -> None:
    """A line, with its time, to the log of a trial. Raises OSError."""
    path = results / "logs" / f"{trial}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}\n")


def _answer(ask: Callable[[], Any]) -> Any:
    """What the keeper answers. A failure of Ray on the way ends the session, as a disk that is full does."""
    try:
        return ray.get(ask())
    except StateError as error:  # as the keeper raised it: Ray gives its own error the same class, and a long text
        raise StateError(str(getattr(error, "cause", None) or error)) from error
    except RayError as error:
        raise StateError(f"the results folder cannot be reached from a worker: {type(error).__name__}") from error


@contextlib.contextmanager
def _own_disk() -> Iterator[None]:
    """A full disk of the worker's node is trouble of the machine and not of the trial."""
    try:
        yield
    except OSError as error:
        raise StateError(
            f"a worker cannot use its disk in {tempfile.gettempdir()}: {error.strerror or error}"
        ) from error


def _is_draft(path: Path, folder: Path) -> bool:
    """Whether the file is only half-written: it, or a folder that it lies in, has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _within(folder: Path, relative: str) -> Path:
    """A path inside `folder`, whatever a worker sends."""
    parts = PurePosixPath(relative).parts
    if not parts or PurePosixPath(relative).is_absolute() or ".." in parts:
        raise StateError(f"a worker named {relative}, which is outside the results folder")
    return folder.joinpath(*parts)
