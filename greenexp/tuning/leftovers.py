"""What a sweep's folder holds and nobody needs: neither a report nor a replay, `--resume`, `sync` or `predict`.

A sweep removes its leftovers while it runs; a driver that is killed cannot.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from greenexp.journal.state import SweepState, TrialState
from greenexp.journal.tables import standing_logits
from greenexp.records.at_rest import FOLDER as LOGITS
from greenexp.replay.kept import FOLDER as REPLAYED
from greenexp.tuning.checkpoints import CHECKPOINTS
from greenexp.tuning.models import MODELS, kept_configurations

SCRATCH = "ray"
"""Where Ray Tune keeps what it never reads again."""
DRAFT_FOLDERS = (".greenexp-", ".arriving-")
"""Names with which folders begin of what is being written: models (`model.files`), and results of other nodes
(`tuning.results`)."""
KINDS = {
    "scratch": "scratch of Ray",
    "checkpoints": "checkpoints that no trial goes on from",
    "models": "models of configurations that are not chosen",
    "half-written": "files that were not written to their end",
    "logits": "logits that stand for no trial",
    "replayed": "what was replayed from logits, which a report works out anew",
}


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file, or a folder with all that is in it. kind: of KINDS; files, size_b: how many files, and their bytes."""

    kind: str
    path: Path
    files: int
    size_b: int

    @classmethod
    def at(cls, kind: str, path: Path) -> Leftover:
        """Measure what lies at `path`; links count as themselves."""
        sizes = [each.lstat().st_size for each in _files(path)]
        return cls(kind, path, len(sizes), sum(sizes))


def leftovers(folder: Path, state: SweepState) -> list[Leftover]:
    """All leftovers of the sweep in `folder`, whose journal has this state and is written by nobody.

    Only what bears a name that the sweep itself gives; links are not followed, and what is of no trial stays.
    """
    found = [("scratch", path) for path in (folder / SCRATCH,) if _is_folder(path)]
    found += [("replayed", path) for path in (folder / REPLAYED,) if _is_folder(path)]
    found += [("checkpoints", path) for path in _checkpoints(folder, state)]
    found += [("models", path) for path in _models(folder, state)]
    found += [("logits", path) for path in _logits(folder / LOGITS, state)]
    gone = {path for _, path in found}
    found += [("half-written", path) for path in _half_written(folder) if not gone & {path, *path.parents}]
    return [Leftover.at(kind, path) for kind, path in found]


def remove(leftover: Leftover) -> None:
    """Delete it. Raises OSError where that is not allowed."""
    if _is_folder(leftover.path):
        shutil.rmtree(leftover.path)
    else:
        leftover.path.unlink()


def _checkpoints(folder: Path, state: SweepState) -> Iterator[Path]:
    for own in _children(folder / CHECKPOINTS):
        trial = state.trials.get(own.name)
        if trial is None:
            continue
        if trial.ended:
            yield own
        else:
            kept = None if trial.checkpoint is None else folder / trial.checkpoint[1]
            yield from (path for path in _children(own) if path != kept)


def _models(folder: Path, state: SweepState) -> Iterator[Path]:
    keep = kept_configurations(state)
    for path in _children(folder / MODELS):
        trial = state.trials.get(path.name)
        if trial is not None and trial.spec.configuration not in keep:
            yield path


def _logits(folder: Path, state: SweepState) -> Iterator[Path]:
    keep = {name for trial in state.trials.values() for name in _needed_logits(trial)}
    for path in _children(folder):
        if path.suffix == ".npz" and not path.name.startswith(".") and path.stem not in keep:
            yield path


def _needed_logits(trial: TrialState) -> set[str]:
    """Those that stand for the trial; of one that may train on, all, as any of its reports may yet be the best."""
    standing = standing_logits(trial)
    names = set() if standing is None else set(standing.all)
    if not trial.ended:
        names |= {record.dev_logits for record in trial.records.values() if record.dev_logits is not None}
    return names


def _half_written(folder: Path) -> Iterator[Path]:
    """Drafts beside what they would have become; see `durable.write_whole` and DRAFT_FOLDERS."""
    within = [folder, folder / LOGITS, *_children(folder / MODELS)]
    within += [path for own in _children(folder / CHECKPOINTS) for path in _children(own)]
    for parent in within:
        for path in _children(parent):
            is_file = path.name.startswith(".") and path.name.endswith(".tmp")
            if is_file or path.name.startswith(DRAFT_FOLDERS):
                yield path


def _children(folder: Path) -> list[Path]:
    if not _is_folder(folder):
        return []
    return sorted(folder.iterdir())


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _files(path: Path) -> Iterator[Path]:
    if not _is_folder(path):
        yield path
        return
    with suppress(PermissionError):
        for child in path.iterdir():
            yield from _files(child)
