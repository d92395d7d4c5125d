"""Images as a trial reads them: arrays of bytes that cross a process border without being copied."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.tasks.augmentation import Augmentation
from greenexp.tasks.contents import SplitContents
from greenexp.tasks.data import Labels
from greenexp.tasks.partition import chosen_by_hash, position_of

Pixels = npt.NDArray[np.uint8]
CHANNELS = 3


@dataclass(frozen=True, eq=False)
class PixelSplit:
    """Labelled images of one size.

    pixels: uint8 [stored example, channel, row, column], channels red, green, blue; as many rows as columns
    labels: int64 [example]; columns: as in `tasks.data.Split`
    rows: int64 [example], which of the stored images these are, in their order; None: all of them
    Arrays may be read-only views of shared memory: never write into them.
    """

    pixels: Pixels
    labels: Labels
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    rows: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        shape, examples = self.pixels.shape, len(self.pixels) if self.rows is None else len(self.rows)
        if len(shape) != 4 or shape[1] != CHANNELS or shape[2] != shape[3] or self.pixels.dtype != np.uint8:
            raise InputError(f"images of shape {shape} and type {self.pixels.dtype}: expected uint8 [image, 3, n, n]")
        if self.labels.dtype != np.int64 or self.labels.shape != (examples,):
            raise InputError(
                f"{len(self.labels)} labels of type {self.labels.dtype} for {examples} images: one int64 each"
            )

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Pixels of each image, the same for all: int64 [example]."""
        return np.full(len(self), self.pixels.shape[2] * self.pixels.shape[3], dtype=np.int64)

    def numbers(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The examples `indices` by their numbers in `pixels`, whatever part of them this is."""
        return indices if self.rows is None else self.rows[indices]

    def images(self, indices: npt.NDArray[np.int64]) -> Pixels:
        """[example, channel, row, column]: a copy of the examples `indices`, in that order."""
        found: Pixels = self.pixels[self.numbers(indices)]
        return found

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class PixelTask:
    """All a trial needs to know about a task of images; the fields are those of `TokenisedTask`, but for its tokens.

    augmentation: how training images are changed, anew in every epoch; None: they stay as they are
    """

    train: PixelSplit
    dev: PixelSplit
    test: PixelSplit | None
    num_labels: int
    label_names: tuple[str, ...]
    metrics: tuple[str, ...]
    fingerprint: str
    description: str = ""
    augmentation: Augmentation | None = None
    positions: npt.NDArray[np.float64] | None = None
    contents: Mapping[str, SplitContents] = field(default_factory=dict)

    reads: ClassVar[Literal["images"]] = "images"
    masking: ClassVar[None] = None
    tokenizer: ClassVar[str] = ""
    pad_id: ClassVar[int] = 0
    vocab_size: ClassVar[int] = 0
    max_length: ClassVar[int] = 0
    pairs: ClassVar[bool] = False


def pixel_task(
    splits: Mapping[str, PixelSplit],
    label_names: tuple[str, ...],
    description: str,
    augmentation: Augmentation | None,
    metrics: tuple[str, ...] = ("accuracy",),
) -> PixelTask:
    """The task of `splits`, of which there are train, dev and perhaps test. Raises InputError for unfit labels."""
    hashes = {name: image_hashes(split.images(np.arange(len(split)))) for name, split in splits.items()}
    for name, split in splits.items():
        if len(split) == 0:
            raise InputError(f"the {name} split is empty")
        if not 0 <= split.labels.min() <= split.labels.max() < len(label_names):
            low, high = split.labels.min(), split.labels.max()
            raise InputError(f"{name} labels lie in {low}..{high}: expected 0..{len(label_names) - 1}")
    return PixelTask(
        train=splits["train"],
        dev=splits["dev"],
        test=splits.get("test"),
        num_labels=len(label_names),
        label_names=label_names,
        metrics=metrics,
        fingerprint=_fingerprint(splits, hashes, augmentation),
        description=description,
        augmentation=augmentation,
        positions=positions_of(hashes["train"], "folds"),
        contents=_contents(splits, hashes, label_names),
    )


def image_hashes(pixels: Pixels) -> list[bytes]:
    """sha256 of the bytes of each image."""
    return [hashlib.sha256(image.tobytes()).digest() for image in pixels]


def positions_of(hashes: list[bytes], purpose: str) -> npt.NDArray[np.float64]:
    """Where in [0, 1) each image falls by its hash; see `partition.positions`."""
    return np.array([position_of(purpose.encode() + digest) for digest in hashes])


def subset_of(split: PixelSplit, size: int | None, name: str, purpose: str = "subset") -> PixelSplit:
    """A fixed part of `split` with the classes in the same proportion, as `partition.subset` takes it. InputError."""
    if size is None or size == len(split):
        return split
    return taken(split, chosen_rows(split, size, name, purpose))


def chosen_rows(split: PixelSplit, size: int, name: str, purpose: str) -> npt.NDArray[np.int64]:
    """Which examples these are, rising. Raises InputError if there are fewer."""
    if not 1 <= size <= len(split):
        raise InputError(f"{name}: {size} examples asked for, the {name} split has {len(split)}")
    at = positions_of(image_hashes(split.images(np.arange(len(split)))), purpose)
    return chosen_by_hash(at, split.labels, size)


def taken(split: PixelSplit, chosen: npt.NDArray[np.int64]) -> PixelSplit:
    """A copy of the examples `chosen` alone: the others need not travel."""
    columns = {name: values[chosen] for name, values in split.columns.items()}
    return PixelSplit(split.images(chosen), split.labels[chosen], columns)


def _contents(
    splits: Mapping[str, PixelSplit], hashes: Mapping[str, list[bytes]], names: tuple[str, ...]
) -> dict[str, SplitContents]:
    order, known = list(splits), {name: set(every) for name, every in hashes.items()}
    return {
        name: SplitContents(
            rows=len(split),
            classes=dict(zip(names, np.bincount(split.labels, minlength=len(names)).tolist(), strict=True)),
            truncated=0,
            shared={before: sum(one in known[before] for one in hashes[name]) for before in order[: order.index(name)]},
        )
        for name, split in splits.items()
    }


def _fingerprint(
    splits: Mapping[str, PixelSplit], hashes: Mapping[str, list[bytes]], augmentation: Augmentation | None
) -> str:
    digest = hashlib.sha256(repr(augmentation).encode())
    for name, split in sorted(splits.items()):
        digest.update(name.encode())
        digest.update(b"".join(hashes[name]))
        digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()
