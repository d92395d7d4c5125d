"""Training images changed at random: by a seed, the epoch and the image's number alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_DRAW = 5
"""Of the stream: beside the order of examples, dropout, halves of the training set and masks."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Zeros around an image, a random crop of its own size, and a flip from left to right in one case of two.

    padding: rows and columns of zeros on each side. Source: He et al. 2016, section 4.2.
    """

    padding: int = 4
    flip: bool = True

    def applied(
        self, images: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], seed: int, epoch: int
    ) -> npt.NDArray[np.uint8]:
        """The images as (seed, epoch, row) draw them: whatever batch they are in, and whenever a trial was resumed.

        images: [example, channel, row, column]; rows: [example], their numbers in the split that is stored
        """
        down, right, flipped = self._drawn(rows, seed, epoch)
        side = images.shape[2]
        wide = np.pad(images, ((0, 0), (0, 0), (self.padding,) * 2, (self.padding,) * 2))
        places = np.arange(side)
        across = np.where(flipped[:, None], places[::-1], places) + right[:, None]
        number = np.arange(len(images))[:, None, None]
        found: npt.NDArray[np.uint8] = wide.transpose(0, 2, 3, 1)[
            number, (places + down[:, None])[:, :, None], across[:, None, :]
        ].transpose(0, 3, 1, 2)
        return np.ascontiguousarray(found)

    def _drawn(
        self, rows: npt.NDArray[np.int64], seed: int, epoch: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Rows and columns that the crop moves, and whether it is flipped: [example] each.

        They are read off one 64-bit number per image: the one at the image's place in the stream of (seed, epoch).
        """
        key = np.random.SeedSequence((seed, epoch), spawn_key=(_DRAW,)).generate_state(2, np.uint64)
        steps = 2 * self.padding + 1
        lots = np.random.Philox(key=key).random_raw(int(rows.max(initial=0)) + 1)[rows]
        moves = (lots >> np.uint64(1)) % np.uint64(steps * steps)
        down, right = np.divmod(moves.astype(np.int64), steps)
        return down, right, (lots & np.uint64(1)).astype(np.bool_) & self.flip
