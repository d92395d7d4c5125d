"""Generated images of graded difficulty: needs no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from greenexp.errors import InputError
from greenexp.tasks.augmentation import Augmentation
from greenexp.tasks.pixels import PixelSplit, PixelTask, pixel_task

LABEL_NAMES = ("disc", "square", "cross", "ring")
LEVELS = ("plain", "small", "noisy", "both")
_SIDE_UNIT = 16
_Size = Annotated[int, Field(ge=16, le=100_000)]


@dataclass(frozen=True, slots=True)
class Shapes:
    """One bright shape on a dark ground - disc, square, cross or ring - in four levels of difficulty.

    Level 0, plain: a large shape, little noise; 1, small: a small one; 2, noisy: a large one in noise; 3, both. The
    colour is drawn anew for every image and says nothing of the class. In every split classes and levels are balanced,
    as far as its size divides by 16. Same fields, same images. The level is in `columns["level"]`.

    train, dev, test: numbers of images; side: rows and columns, a multiple of 16; seed: draws them
    augment: whether training images are padded by 4, cropped and flipped at random, anew in every epoch
    """

    train: _Size = 2000
    dev: _Size = 500
    test: _Size = 500
    side: Annotated[int, Field(ge=16, le=256)] = 32
    seed: Annotated[int, Field(ge=0)] = 0
    augment: bool = False

    def __post_init__(self) -> None:
        if self.side % _SIDE_UNIT:
            raise InputError(f"shapes: side is {self.side}: expected a multiple of {_SIDE_UNIT}")

    def load(self) -> PixelTask:
        """Draw the images."""
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, 0x5A9E5)))
        sizes = {"train": self.train, "dev": self.dev, "test": self.test}
        splits = {name: _split(size, self.side, rng) for name, size in sizes.items()}
        about = f"generated images of {self.side} x {self.side} pixels, levels {', '.join(LEVELS)}"
        return pixel_task(splits, LABEL_NAMES, about, Augmentation() if self.augment else None)


def _split(size: int, side: int, rng: np.random.Generator) -> PixelSplit:
    cells = rng.permutation(size) % (len(LABEL_NAMES) * len(LEVELS))
    levels, labels = np.divmod(cells.astype(np.int64), len(LABEL_NAMES))
    small, noisy = levels % 2 == 1, levels >= 2
    radius = side * np.where(small, 0.16, 0.30) * rng.uniform(0.9, 1.1, size)
    centre = radius + rng.random((2, size)) * (side - 1 - 2 * radius)
    inside = _inside(labels, radius, centre, side)
    colour = rng.uniform(0.55, 1.0, (size, 3, 1, 1))
    noise = rng.normal(size=(size, 3, side, side)) * np.where(noisy, 0.25, 0.05)[:, None, None, None]
    values = np.clip(0.15 + 0.7 * colour * inside[:, None] + noise, 0, 1)
    return PixelSplit((255 * values).round().astype(np.uint8), labels, {"level": levels})


def _inside(
    labels: npt.NDArray[np.int64], radius: npt.NDArray[np.float64], centre: npt.NDArray[np.float64], side: int
) -> npt.NDArray[np.bool_]:
    """[image, row, column]: where the shape is."""
    places = np.arange(side)
    down = np.abs(places[None, :, None] - centre[0][:, None, None])
    across = np.abs(places[None, None, :] - centre[1][:, None, None])
    size = radius[:, None, None]
    distance, largest = np.hypot(down, across), np.maximum(down, across)
    drawn = (
        distance <= size,
        largest <= 0.89 * size,  # as large as the disc
        (np.minimum(down, across) <= 0.33 * size) & (largest <= size),
        (distance <= size) & (distance >= 0.55 * size),
    )
    found: npt.NDArray[np.bool_] = np.select([labels[:, None, None] == kind for kind in range(4)], drawn)
    return found
