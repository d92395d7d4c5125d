"""Tasks from the hub's datasets, or from a local folder the library `datasets` reads, by configuration alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from greenexp.assets.hub import unreachable_hub
from greenexp.errors import InputError, did_you_mean, user_path
from greenexp.tasks.data import TaskData
from greenexp.tasks.labelled import Share, TableFields
from greenexp.tasks.table import RawTable

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Hub(TableFields):
    """Labelled texts, or pairs of texts, from a dataset on the hub, at a commit, or from a local folder.

    path: `owner/name`, or a folder that the library `datasets` reads (relative to the working directory)
    revision: the commit, 40 hexadecimal digits, so that the sweep means the same tomorrow; None only for a folder
    subset: the dataset's configuration (`sst2` of `nyu-mll/glue`), None for the only one
    train: split; dev, test: splits, or the share of train that is cut off by a hash of the text; test may be None
    text, label: columns by name; pair: that of the second text, None for single texts
    labels: the classes in order; or a mapping from what is written to the class (`null`: leave such rows out). None:
        the names the dataset gives, else what train holds
    regression, metrics, train_size, dev_size, test_size: as in `greenexp ls tasks tsv`
    """

    path: str
    revision: str | None = None
    subset: str | None = None
    train: str = "train"
    dev: str | Share = "validation"
    test: str | Share | None = None

    def __post_init__(self) -> None:
        if self.revision is not None and not _COMMIT.fullmatch(self.revision):
            raise InputError(f"hub: revision '{self.revision}': expected a commit, 40 hexadecimal digits")

    def load(self) -> TaskData:
        """Read the dataset, which the library fetches into its own cache. Raises InputError."""
        given: dict[str, str | float | None] = {"train": self.train, "dev": self.dev, "test": self.test}
        with _quiet_library():
            found = self._fetch()
            names = self._label_names(found)
            tables = {name: _table(found, split) if isinstance(split, str) else split for name, split in given.items()}
        about = " ".join(filter(None, ("hub", self.path, self.subset, (self.revision or "")[:8])))
        return replace(self, labels=self.labels or names).build(tables, about)

    def _fetch(self) -> Any:
        """A datasets.DatasetDict."""
        from datasets import load_dataset

        is_folder = user_path(self.path).is_dir()
        if not is_folder and self.revision is None:
            raise InputError(
                f"hub: '{self.path}' is no folder here, so it is a dataset on the hub, and needs `revision`: the commit"
            )
        if not is_folder:
            self._check_hub(self.revision or "main")
        where = str(user_path(self.path)) if is_folder else self.path
        try:
            return load_dataset(where, self.subset, revision=None if is_folder else self.revision)
        except Exception as error:  # the library lets through what its file systems and readers raise
            reason = " ".join(str(error).split())[:400] or type(error).__name__
            raise InputError(f"hub: dataset '{self.path}' cannot be read: {reason}") from error

    def _check_hub(self, revision: str) -> None:
        """InputError where the hub would have to be asked, and cannot be reached."""
        why = "" if _is_read(self.path) else unreachable_hub(self.path, revision, kind="dataset")
        if why:
            raise InputError(f"hub: dataset '{self.path}' cannot be read: the hub cannot be reached: {why}")

    def _label_names(self, found: Any) -> tuple[str, ...] | None:
        """The names of a ClassLabel column, whose values are then their numbers."""
        if self.train not in found or not isinstance(self.label, str):
            return None
        names = getattr(found[self.train].features.get(self.label), "names", None)
        return None if names is None else tuple(names)


def _table(found: Any, split: str) -> RawTable:
    """One split. A column of class numbers is read as the names of the classes; rows are numbered from 0."""
    if split not in found:
        raise InputError(f"hub: there is no split '{split}'{did_you_mean(split, found)} (splits: {', '.join(found)})")
    data = found[split]
    columns = {name: list(data[name]) for name in data.column_names}
    for name, feature in data.features.items():
        if (names := getattr(feature, "names", None)) is not None:
            columns[name] = [_class_name(names, number) for number in columns[name]]
    rows = list(zip(*columns.values(), strict=True))
    return RawTable(f"split {split}", rows, range(len(rows)), tuple(columns))


def _class_name(names: list[str], number: int | None) -> str:
    return names[number] if number is not None and 0 <= number < len(names) else f"{number} (no label)"


def _is_read(path: str) -> bool:
    """Whether the library has read this dataset before: then it needs no hub."""
    from datasets import config

    return (Path(config.HF_DATASETS_CACHE) / path.replace("/", "___")).is_dir()


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Without progress bars, as before afterwards."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not disabled:
            enable_progress_bars()
