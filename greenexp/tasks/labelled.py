"""What the tasks that are described by configuration share: from tables to the data of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from greenexp.errors import InputError, about_field
from greenexp.tasks.coding import Coding
from greenexp.tasks.data import Split, TaskData
from greenexp.tasks.metrics import find_metric
from greenexp.tasks.partition import cut, subset
from greenexp.tasks.table import RawTable

Column = str | Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1)] | None
Share = Annotated[float, Field(gt=0, lt=1)]
Names = tuple[str, ...] | dict[str, str | None] | None


@dataclass(frozen=True, kw_only=True)
class TableFields:
    """The fields that say what is what in a table; see `greenexp ls tasks tsv`."""

    text: Column = "text"
    pair: Column | None = None
    label: Column = "label"
    labels: Names = None
    regression: bool | None = None
    metrics: tuple[str, ...] | None = None
    train_size: Size = None
    dev_size: Size = None
    test_size: Size = None

    def build(self, tables: Mapping[str, RawTable | float | None], about: str) -> TaskData:
        """The task from its tables. A number instead of a table is the share cut from train by hash; None: no split."""
        train = tables["train"]
        if not isinstance(train, RawTable):
            raise InputError("train: a table is needed")
        with about_field("label"):
            coding = Coding.of(train, self.label, self.labels, self.regression)
        shares = {name: share for name, share in tables.items() if isinstance(share, float)}
        parts = cut(self._split(train, coding), list(shares.values())) if shares else (self._split(train, coding),)
        splits = dict(zip(("train", *shares), parts, strict=True))
        splits |= {n: self._split(t, coding) for n, t in tables.items() if isinstance(t, RawTable) and n != "train"}
        wanted = {"train": self.train_size, "dev": self.dev_size, "test": self.test_size}
        chosen: dict[str, Any] = {name: subset(split, wanted[name], name) for name, split in splits.items()}
        return TaskData(
            train=chosen["train"],
            dev=chosen["dev"],
            test=chosen.get("test"),
            num_labels=1 if coding.is_regression else len(coding.names),
            label_names=coding.names,
            metrics=self._metrics(coding),
            description=f"{about}: {', '.join(_described(n, splits[n], chosen[n], tables[n]) for n in splits)}",
        )

    def _split(self, table: RawTable, coding: Coding) -> Split:
        with about_field("label"):
            labels, kept = coding.encode(table, self.label)
        with about_field("text"):
            texts = _texts(table, self.text)
        with about_field("pair"):
            pairs = None if self.pair is None else _texts(table, self.pair)
        return Split([texts[i] for i in kept], labels, None if pairs is None else [pairs[i] for i in kept])

    def _metrics(self, coding: Coding) -> tuple[str, ...]:
        names = self.metrics or (("pearson", "spearman") if coding.is_regression else ("accuracy", "macro_f1"))
        for name in names:
            find_metric(name, coding.is_regression)
        return tuple(names)


def _texts(table: RawTable, column: Column) -> list[str]:
    values = table.column(column)
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise InputError(f"{table.place(row)}: column {column!r}: expected text, found {value!r}")
    return [value.strip() for value in values]


def _described(name: str, whole: Split, chosen: Split, origin: RawTable | float | None) -> str:
    size = f"{len(chosen):,}" if len(chosen) == len(whole) else f"{len(chosen):,} of {len(whole):,}"
    if not isinstance(origin, RawTable):
        return f"{name} {size} (cut from train by hash)"
    digest = f", sha256 {origin.digest[:12]}" if origin.digest else ""
    broken = f", {origin.left_out} broken rows left out" if origin.left_out else ""
    return f"{name} {size} ({origin.source}{digest}{broken})"
