"""Which examples go where, by hashes of their texts: the same on every machine, in any order, no doubles across splits.

A hash of a text is as good as a random number that was drawn once for all. Examples whose texts are the same but for
case, punctuation and spacing have the same hash, so they are always on the same side of every split.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.tasks.data import Labels, Split
from greenexp.tasks.spool import SpooledTexts

_WORDS = re.compile(r"\w+")


def normalised(text: str) -> str:
    """The words of `text` in one spelling: NFKC, case-folded, joined by single spaces, punctuation left out.

    A text without any word stays as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORDS.findall(folded)) or folded.strip()


def positions(
    texts: Sequence[str], pairs: Sequence[str] | None = None, purpose: str = "split"
) -> npt.NDArray[np.float64]:
    """Where in [0, 1) each example falls: the first 53 bits of sha256 over purpose and normalised texts.

    purpose: other purposes give independent positions
    """
    seconds: Sequence[str] = pairs if pairs is not None else [""] * len(texts)
    keys = (f"{purpose}\n{normalised(text)}\n{normalised(second)}" for text, second in zip(texts, seconds, strict=True))
    return np.fromiter((position_of(key.encode("utf-8", "surrogatepass")) for key in keys), np.float64, len(texts))


def position_of(key: bytes) -> float:
    """The first 53 bits of sha256 over `key`, as a number in [0, 1)."""
    return (int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 11) / 2**53


def subset(split: Split, size: int | None, name: str) -> Split:
    """A fixed part of `split`: `size` examples with the classes in the same proportion, in the order they have there.

    Of every class those that come first by hash; classes share `size` by largest remainders. The same examples whatever
    the order of the split, and a larger subset contains a smaller one but for rounding. None: all of them.
    Raises InputError if there are fewer.
    """
    if size is None or size == len(split):
        return split
    if not 1 <= size <= len(split):
        raise InputError(f"{name}: {size} examples asked for, the {name} split has {len(split)}")
    at = positions(split.texts, split.pairs, purpose="subset")
    return take(split, chosen_by_hash(at, split.labels, size))


def chosen_by_hash(at: npt.NDArray[np.float64], labels: Labels, size: int) -> npt.NDArray[np.int64]:
    """`size` examples, rising: of every class those of lowest position `at`, classes in proportion; see `subset`."""
    classes = _classes(labels)
    counts = _shares([len(members) for members in classes], size)
    chosen = (
        members[np.argsort(at[members], kind="stable")[:count]] for members, count in zip(classes, counts, strict=True)
    )
    return np.sort(np.concatenate(list(chosen)))


def take(split: Split, indices: npt.NDArray[np.int64]) -> Split:
    """The examples `indices` of `split`, in that order."""
    return Split(
        texts=_taken(split.texts, indices),
        labels=split.labels[indices],
        pairs=None if split.pairs is None else _taken(split.pairs, indices),
        columns={name: values[indices] for name, values in split.columns.items()},
    )


def _taken(texts: Sequence[str], indices: npt.NDArray[np.int64]) -> Sequence[str]:
    return texts.taken(indices) if isinstance(texts, SpooledTexts) else [texts[i] for i in indices]


def cut(split: Split, shares: Sequence[float]) -> tuple[Split, ...]:
    """`split` in parts that hold these shares of it on average; what they leave of 1 comes first.

    `cut(split, [0.1, 0.1])` gives 80 %, 10 %, 10 %. Raises InputError if nothing is left for the first part.
    """
    if min(shares, default=0.0) < 0 or sum(shares) >= 1:
        raise InputError(f"shares {', '.join(map(str, shares))}: expected numbers from 0 that leave something of 1")
    at = positions(split.texts, split.pairs)
    borders = np.cumsum([1 - sum(shares), *shares])[:-1]
    part = np.searchsorted(borders, at, side="right")
    return tuple(take(split, np.flatnonzero(part == number)) for number in range(len(shares) + 1))


def _classes(labels: Labels) -> list[npt.NDArray[np.int64]]:
    """The indices of each class; all in one for regression."""
    if labels.dtype != np.int64:
        return [np.arange(len(labels), dtype=np.int64)]
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """`total` shared out in proportion to `sizes`, by largest remainders, ties to the first."""
    whole = sum(sizes)
    counts = [size * total // whole for size in sizes]
    remainders = [size * total % whole for size in sizes]
    for index in sorted(range(len(sizes)), key=lambda i: -remainders[i])[: total - sum(counts)]:
        counts[index] += 1
    return counts
