"""The logits that stand for a trial, read from the folder where they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import StateError
from greenexp.records.at_rest import LogitsNames
from greenexp.replay.logits import StoredLogits, read_logits


@dataclass(frozen=True, eq=False)
class StandingLogits:
    """What could be read of them. problems: why something could not, in words; test is not there without dev."""

    dev: StoredLogits | None
    test: StoredLogits | None = None
    problems: tuple[str, ...] = ()


def read_standing(folder: Path, names: LogitsNames) -> StandingLogits:
    """The logits of these names in `folder` (`<hash>.npz`). What is absent or damaged is a problem, not an error."""
    problems: list[str] = []
    dev = _read(folder, names.dev, "dev", problems)
    test = _read(folder, names.test, "test", problems) if dev is not None and names.test is not None else None
    return StandingLogits(dev, test, tuple(problems))


def _read(folder: Path, name: str, split: str, problems: list[str]) -> StoredLogits | None:
    """Problems name no folder: the journal's readers and MLflow's must say the same."""
    if not (folder / f"{name}.npz").is_file():
        problems.append(f"{split} logits are not at hand")
        return None
    try:
        return read_logits(folder, name)
    except StateError:
        problems.append(f"{split} logits {name[:16]} are damaged, or of another version")
        return None
