"""Where the names at the ends of lines stand: beside the end, clear of each other, and of the lines where possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

LETTER_WIDTH, LINE_HEIGHT, GAP = 7, 15, 8
"""Pixels: of a letter and a line of text of 12 pixels, and from the end of a line to its name."""
_SAMPLES = 12
_AWAY, _FAR = 100, 2
"""A name on another name is worse than one on any number of lines; a line of text away is as bad as two samples."""

Line = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotting area: its size in pixels, and what its edges stand for."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def pixels(self, line: Line) -> NDArray[np.float64]:
        """Shape [point, 2]: pixels from the left and from the top."""
        points = np.asarray(line, dtype=np.float64)
        across = (points[:, 0] - self.x[0]) / (self.x[1] - self.x[0]) * self.width
        return np.column_stack([across, (self.y[1] - points[:, 1]) / (self.y[1] - self.y[0]) * self.height])

    def value(self, pixel: float) -> float:
        """The y value at a height."""
        return self.y[1] - pixel / self.height * (self.y[1] - self.y[0])


def label_heights(
    lines: Mapping[str, Line], labels: Mapping[str, str], frame: Frame, *, step: bool
) -> dict[str, float]:
    """Name of a line -> the y value at which its label is to stand.

    lines: points in the order of x, at least one each; labels: what is written; step: each value holds until the next
    """
    drawn = {name: frame.pixels(line) for name, line in lines.items()}
    placed: list[_Text] = []
    for name, pixels in drawn.items():
        left, end = float(pixels[-1, 0]) + GAP, float(pixels[-1, 1])
        right = left + LETTER_WIDTH * len(labels[name])
        others = [line for other, line in drawn.items() if other != name]
        # One more place than there are lines, in each direction: one of them is free of other names.
        steps = sorted(range(-len(drawn), len(drawn) + 1), key=abs)
        texts = [_Text(left, right, end + LINE_HEIGHT * k, abs(k)) for k in steps]
        placed.append(min(texts, key=partial(_badness, placed=placed.copy(), lines=others, frame=frame, step=step)))
    return {name: frame.value(text.height) for name, text in zip(drawn, placed, strict=True)}


@dataclass(frozen=True, slots=True)
class _Text:
    """Where a label stands, in pixels, and how many lines of text that is away from the end it names."""

    left: float
    right: float
    height: float
    away: int


def _badness(
    text: _Text, placed: Sequence[_Text], lines: Sequence[NDArray[np.float64]], frame: Frame, *, step: bool
) -> int:
    """How much is in the way of a text, and how far away it is."""
    names = sum(
        text.left < other.right and other.left < text.right and abs(text.height - other.height) < LINE_HEIGHT
        for other in placed
    )
    outside = not 0 <= text.height <= frame.height
    return _AWAY * (names + outside) + _FAR * text.away + sum(_crossed(line, text, step=step) for line in lines)


def _crossed(line: NDArray[np.float64], text: _Text, *, step: bool) -> int:
    """At how many of some places along the text a line runs through it."""
    across = np.linspace(text.left, text.right, _SAMPLES)
    across = across[(across >= line[0, 0]) & (across <= line[-1, 0])]
    if step:
        at = line[np.searchsorted(line[:, 0], across, side="right") - 1, 1]
    else:
        at = np.interp(across, line[:, 0], line[:, 1])
    return int((np.abs(at - text.height) < LINE_HEIGHT / 2).sum())
