"""What is in the splits of a task: rows, classes, texts that were cut, and texts that are in two splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from greenexp.tasks.data import Split, TaskData


@dataclass(frozen=True, slots=True)
class SplitContents:
    """One split.

    rows: examples; classes: name -> examples, empty for regression
    truncated: examples that were longer than the sequence length and have been cut
    shared: earlier split -> examples of this one whose text (both texts of a pair) is in that one too
    """

    rows: int
    classes: Mapping[str, int]
    truncated: int
    shared: Mapping[str, int] = field(default_factory=dict)


def split_contents(task: TaskData, truncated: Mapping[str, int]) -> dict[str, SplitContents]:
    """Split -> what is in it. truncated: split -> examples that the tokeniser cut."""
    texts = {name: _texts(split) for name, split in task.splits.items()}
    known = {name: set(every) for name, every in texts.items()}
    names = list(task.splits)
    return {
        name: SplitContents(
            rows=len(split),
            classes=_classes(split, task.label_names, task.num_labels),
            truncated=truncated[name],
            shared={
                before: sum(text in known[before] for text in texts[name]) for before in names[: names.index(name)]
            },
        )
        for name, split in task.splits.items()
    }


def _texts(split: Split) -> Sequence[object]:
    return list(split.texts) if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))


def _classes(split: Split, names: Sequence[str], number: int) -> dict[str, int]:
    if number == 1:
        return {}
    counts = np.bincount(split.labels.astype(np.int64), minlength=number).tolist()
    labels = names or [str(place) for place in range(number)]
    return dict(zip(labels, counts, strict=True))
