"""What the folders of GLUE and ELUE have in common: where files lie, and which columns mean what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from greenexp.errors import InputError, user_path
from greenexp.tasks.labelled import TableFields
from greenexp.tasks.table import RawTable
from greenexp.tasks.text_files import read_tsv
from greenexp.tasks.unlabelled import AnswerForm, UnlabelledSplit

CLASSIFIED = ("accuracy",)
CORRELATED = ("pearson", "spearman")


@dataclass(frozen=True, slots=True)
class FileColumns:
    """Columns of a file, by name or by number from 0; several names of one: whichever is there."""

    text: str | int
    pair: str | None = None
    label: tuple[str | int, ...] = ("label",)
    header: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """One task of a benchmark.

    columns: of the labelled files; classes: written label -> its meaning, in the official order; empty: values
    test: columns of the test file without labels; broken: whether rows of train may lack columns, which are left out
    """

    columns: FileColumns
    classes: Mapping[str, str]
    metrics: tuple[str, ...] = CLASSIFIED
    test: FileColumns | None = None
    broken: bool = False

    @property
    def written(self) -> dict[str, str]:
        """Class name -> how the benchmark writes it."""
        return {name: label for label, name in self.classes.items()}

    def fields(self, train_size: int | None, dev_size: int | None, test_size: int | None) -> TableFields:
        """How tables made by `labelled` become splits of these sizes."""
        return TableFields(
            pair=None if self.columns.pair is None else "pair",
            labels=dict(self.classes) or None,
            regression=not self.classes,
            metrics=self.metrics,
            train_size=train_size,
            dev_size=dev_size,
            test_size=test_size,
        )

    def labelled(self, file: str, *, broken: bool = False) -> RawTable:
        """A labelled file with columns `text`, `pair` (in tasks on pairs) and `label`. Raises InputError."""
        table = read_tsv(file, header=self.columns.header, skip_broken=broken and self.broken)
        label = next((c for c in self.columns.label if table.names and c in table.names), self.columns.label[0])
        return _projected(table, self.columns, label)

    def unlabelled(self, file: str, form: AnswerForm) -> UnlabelledSplit:
        """A test file without labels, whose first column numbers its rows from 0. Raises InputError."""
        columns = self.test or self.columns
        table = read_tsv(file, header=columns.header)
        for row, number in enumerate(table.column(0)):
            if number.strip() != str(row):
                raise InputError(
                    f"{table.place(row)}: index '{number[:40]}', expected {row}: rows are answered in order"
                )
        texts, pairs = table.column(columns.text), None if columns.pair is None else table.column(columns.pair)
        return UnlabelledSplit(_stripped(texts), None if pairs is None else _stripped(pairs), form)


def task_folder(folder: str, task: str) -> Path:
    """The folder of one task: `folder/task`, or `folder` if it is that one itself. Raises InputError."""
    path = user_path(folder)
    if (path / task).is_dir():
        return path / task
    if path.name == task and path.is_dir():
        return path
    if not path.is_dir():
        where = "" if path.is_absolute() else f" (relative to the working directory {Path.cwd()})"
        raise InputError(f"there is no folder {folder}{where}: expected the benchmark's, with a folder {task} in it")
    found = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    raise InputError(f"{folder}: no folder {task} in it (it holds {', '.join(found) or 'no folder'})")


def train_file(folder: Path, given: str | None, source: str) -> str:
    """The training file, which these benchmarks' copies often lack. Raises InputError that says where it is from."""
    if given is not None:
        return given
    path = folder / "train.tsv"
    if not path.is_file():
        raise InputError(f"there is no file {path}: {source}; or point `train` to another file with the same columns")
    return str(path)


def _stripped(texts: list[str]) -> list[str]:
    """As the texts of labelled files are."""
    return [text.strip() for text in texts]


def _projected(table: RawTable, columns: FileColumns, label: str | int | None) -> RawTable:
    """`table` with the columns that matter, under the names of `TableFields`'s defaults."""
    wanted: dict[str, Any] = {"text": columns.text}
    if columns.pair is not None:
        wanted["pair"] = columns.pair
    if label is not None:
        wanted["label"] = label
    values = [table.column(key) for key in wanted.values()]
    return replace(table, rows=list(zip(*values, strict=True)), names=tuple(wanted))
