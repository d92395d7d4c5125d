"""What a task gives: splits of labelled texts, checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError

Labels: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled texts.

    texts: [example]; pairs: the second text of each example, or None for tasks on single texts
    labels: int64 [example] from 0 (classification), or float32 [example] (regression)
    columns: further facts about each example, name -> array [example]; carried along, never seen by a model
    """

    texts: Sequence[str]
    labels: Labels
    pairs: Sequence[str] | None = None
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {"labels": len(self.labels)} | {f"column '{name}'": len(c) for name, c in self.columns.items()}
        if self.pairs is not None:
            sizes["pairs"] = len(self.pairs)
        for name, size in sizes.items():
            if size != len(self.texts):
                raise InputError(f"{name}: {size} values for {len(self.texts)} texts")
        if self.labels.dtype not in (np.int64, np.float32):
            raise InputError(f"labels are {self.labels.dtype}: expected int64 (classes) or float32 (regression)")
        if self.labels.dtype == np.float32 and not np.isfinite(self.labels).all():
            raise InputError("labels hold a value that is not finite")

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class TaskData:
    """A task's splits. `num_labels` is 1 for regression, else the number of classes; `metrics`: see `tasks.metrics`.

    label_names: what each class means, in order; empty for regression
    masking: whether tokens are masked, single ones (`tokens`) or whole words (`words`); None: none
    vocabulary: words that a tokeniser made of the training texts knows at most; None: as many as it usually does
    """

    train: Split
    dev: Split
    test: Split | None
    num_labels: int
    label_names: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    description: str = ""
    masking: Literal["tokens", "words"] | None = None
    vocabulary: int | None = None

    reads: ClassVar[Literal["texts"]] = "texts"

    def __post_init__(self) -> None:
        wanted = np.float32 if self.num_labels == 1 else np.int64
        for name, split in self.splits.items():
            if len(split) == 0:
                raise InputError(f"the {name} split is empty")
            if split.labels.dtype != wanted:
                raise InputError(f"{name} labels are {split.labels.dtype} where {self.num_labels} labels need {wanted}")
            low, high = split.labels.min(), split.labels.max()
            if self.num_labels > 1 and not 0 <= low <= high < self.num_labels:
                raise InputError(f"{name} labels lie in {low}..{high}: expected 0..{self.num_labels - 1}")
            if (split.pairs is None) != (self.train.pairs is None):
                raise InputError(f"the {name} and train splits differ in having text pairs")

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        named = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


class Task(Protocol):
    """A task plug-in: a frozen dataclass whose fields say what to load.

    One whose texts need not fit into memory says so by `stream`, a bool, and has a method `content_digest`, a hash of
    all that it reads: its tokens are then kept in files by that hash (`tasks.token_store`).
    One that reads `greenexp.assets` names them in a class variable or property `assets`, a tuple, so that they are
    fetched early.
    """

    def load(self) -> Any:
        """A `TaskData`, or of images a `pixels.PixelTask`; the same fields give the same data on every machine."""
