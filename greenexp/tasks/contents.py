"""What is in the splits of a task: rows, classes, texts that were cut, and texts that are in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

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
    hashes = {name: _hashes(split) for name, split in task.splits.items()}
    names = list(task.splits)
    return {
        name: SplitContents(
            rows=len(split),
            classes=_classes(split, task.label_names, task.num_labels),
            truncated=truncated[name],
            shared={before: int(np.isin(hashes[name], hashes[before]).sum()) for before in names[: names.index(name)]},
        )
        for name, split in task.splits.items()
    }


def _hashes(split: Split) -> npt.NDArray[np.uint64]:
    """[example]: 64 bits of a hash of its text, or of both texts of a pair, so that no text is held."""
    texts: Iterable[tuple[str, ...]] = zip(*(one for one in (split.texts, split.pairs) if one is not None), strict=True)
    return np.fromiter(map(_hash, texts), dtype=np.uint64, count=len(split))


def _hash(texts: tuple[str, ...]) -> int:
    key = "".join(f"{len(text)}:{text}" for text in texts)
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _classes(split: Split, names: Sequence[str], number: int) -> dict[str, int]:
    if number == 1:
        return {}
    counts = np.bincount(split.labels.astype(np.int64), minlength=number).tolist()
    labels = names or [str(place) for place in range(number)]
    return dict(zip(labels, counts, strict=True))
