"""What goes into the engine and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class Tokens:
    """One example in token ids, special tokens included, unpadded.

    ids: whole numbers; type_ids: as many, 1 in the second text of a pair; None where there are no pairs
    """

    ids: Sequence[int]
    type_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One example of a model of images. pixels: uint8 [channel, row, column], channels red, green, blue."""

    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says about one example.

    prediction: class, or the value for regression; label: the class's name, None where names are not known
    exit, layer: where it left, both from 1
    confidence: softmax probability (of the logits over the exit's temperature) that this exit gives to the answered
        class; None for regression, and where a logit is NaN or infinite
    logits: of this exit, as the model computed them (no temperature)
    inference_flops: analytic, at the example's own length, the exits consulted on the way included
    """

    prediction: int | float
    label: str | None
    exit: int
    layer: int
    confidence: float | None
    logits: tuple[float, ...]
    inference_flops: int


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A checked example: int64 arrays of one length; type_ids None for all zeros."""

    ids: npt.NDArray[np.int64]
    type_ids: npt.NDArray[np.int64] | None

    @property
    def length(self) -> int:
        """Tokens."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class ImageRow:
    """A checked image."""

    pixels: npt.NDArray[np.uint8]

    @property
    def length(self) -> int:
        """Pixels."""
        return int(self.pixels[0].size)


def checked_image(image: Any, side_unit: int) -> ImageRow:
    """`image` as an array that no model can stumble over; side_unit: what its side is a multiple of.

    Raises InputError for another kind of example, type or shape.
    """
    if not isinstance(image, Image):
        raise InputError(f"this model reads images; received {type(image).__name__}: expected inference.answers.Image")
    pixels = np.asarray(image.pixels)
    shape = pixels.shape
    if pixels.dtype != np.uint8 or len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2] or shape[1] % side_unit:
        raise InputError(
            f"an image of shape {shape} and type {pixels.dtype}: expected uint8 [3, n, n], n a multiple of {side_unit}"
        )
    if shape[1] == 0:
        raise InputError("an image without pixels")
    return ImageRow(pixels)


def checked(tokens: Tokens, vocab_size: int, max_length: int, pairs: bool | None) -> Row:
    """`tokens` as arrays that no model can stumble over. On the host: on a GPU a bad id is an error without a name.

    pairs: whether the model was trained on pairs of texts; None: not known, both are taken
    Raises InputError for no tokens, too many, ids outside the vocabulary, and the wrong kind.
    """
    ids = _whole_numbers(tokens.ids, "token ids")
    if not 1 <= len(ids) <= max_length:
        raise InputError(f"an example of {len(ids)} tokens: this model takes 1 to {max_length}")
    if ids.view(np.uint64).max() >= vocab_size:  # a negative id is a very large one there
        bad = next(value for value in tokens.ids if not 0 <= value < vocab_size)
        raise InputError(f"token id {bad} is not in the model's vocabulary, which has 0 to {vocab_size - 1}")
    if tokens.type_ids is None:
        if pairs:
            raise InputError("this model was trained on pairs of texts: its examples need type_ids")
        return Row(ids, None)
    types = _whole_numbers(tokens.type_ids, "type ids")
    if len(types) != len(ids):
        raise InputError(f"{len(types)} type ids for {len(ids)} token ids")
    if types.min() < 0 or types.max() > 1:
        raise InputError("type ids are 0 in the first text of a pair and 1 in the second; received another number")
    if pairs is False and types.any():
        raise InputError("this model was trained on single texts: received type_ids of a pair")
    return Row(ids, types)


Example: TypeAlias = Tokens | Image
"""What an engine is asked: of a model of texts tokens, of one of images an image."""
AnyRow: TypeAlias = Row | ImageRow


def _whole_numbers(values: Sequence[int], what: str) -> npt.NDArray[np.int64]:
    try:
        array = np.asarray(values)
    except ValueError:  # lists of several lengths
        array = np.empty((0, 0))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{what}: expected a list of whole numbers, received {str(values)[:60]!r}")
    return array.astype(np.int64)
