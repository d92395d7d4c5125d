"""Tasks from local files, by configuration alone: `tsv`, `csv`, `jsonl`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from greenexp.errors import InputError, about_field, user_path
from greenexp.tasks.data import TaskData
from greenexp.tasks.labelled import Share, TableFields
from greenexp.tasks.table import RawTable
from greenexp.tasks.text_files import read_jsonl, read_quoted, read_tsv


@dataclass(frozen=True, kw_only=True)
class _Files(TableFields, ABC):
    train: str
    dev: str | Share = 0.1
    test: str | Share | None = None

    def load(self) -> TaskData:
        """Read the files. Raises InputError with file and line."""
        given: dict[str, str | float | None] = {"train": self.train, "dev": self.dev, "test": self.test}
        files: dict[Path, str] = {}
        tables: dict[str, RawTable | float | None] = {}
        for name, value in given.items():
            with about_field(name):
                tables[name] = self._read(name, value, files) if isinstance(value, str) else value
        return self.build(tables, type(self).__name__.lower())

    def _read(self, name: str, file: str, files: dict[Path, str]) -> RawTable:
        """The table of one split. A file that is another split's too scores a model on what it was trained on."""
        other = files.setdefault(user_path(file).resolve(), name)
        if other != name:
            raise InputError(f"{file} is the file of {other}: a share such as 0.1 cuts {name} off instead")
        return self._table(file)

    @abstractmethod
    def _table(self, path: str) -> RawTable: ...


@dataclass(frozen=True, kw_only=True)
class Tsv(_Files):
    """Labelled texts, or pairs of texts, from tab-separated files without quoting, as GLUE's are.

    Files are UTF-8, with or without byte order mark, `.gz` if they end so. A relative path starts at the working
    directory, `~` is the home folder.

    train: file; dev, test: files, or the share of train that is cut off by a hash of the text; test may be None
    text, label: columns, by name in the header or number from 0; pair: that of the second text, None for single texts
    labels: the classes in order; or a mapping from what is written to the class (`null`: leave such rows out). None:
        what train holds, in numerical or alphabetical order
    regression: whether labels are values. None: if all are numbers and one is not whole
    metrics: None: accuracy and macro_f1, or pearson and spearman
    train_size, dev_size, test_size: fixed stratified subsets, first by a hash of the text. None: all
    header: whether the first line names the columns; quoted: whether columns may stand in double quotes
    """

    header: bool = True
    quoted: bool = False

    def _table(self, path: str) -> RawTable:
        if self.quoted:
            return read_quoted(path, delimiter="\t", header=self.header)
        return read_tsv(path, header=self.header)


@dataclass(frozen=True, kw_only=True)
class Csv(_Files):
    """Labelled texts, or pairs of texts, from comma-separated files; columns may stand in double quotes.

    The fields are those of `tsv` (`greenexp ls tasks tsv`), but for `quoted`.

    delimiter: what stands between columns
    """

    header: bool = True
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","

    def _table(self, path: str) -> RawTable:
        return read_quoted(path, delimiter=self.delimiter, header=self.header)


@dataclass(frozen=True, kw_only=True)
class Jsonl(_Files):
    """Labelled texts, or pairs of texts, from files with one JSON object per line.

    The fields are those of `tsv` (`greenexp ls tasks tsv`), but for `header` and `quoted`; columns have names. Labels
    are text, numbers or booleans.
    """

    def _table(self, path: str) -> RawTable:
        return read_jsonl(path)
