"""Logits with their labels, checked: what every measure of calibration is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.records.arrays import Floats


@dataclass(frozen=True, eq=False)
class LabelledScores:
    """Examples whose scores are all finite.

    scores: logits or probabilities, float64 [class, example]: reductions over a short last axis are slow
    labels: int64 [example]
    left_out: how many others there were
    """

    scores: Floats
    labels: npt.NDArray[np.int64]
    left_out: int

    @property
    def examples(self) -> int:
        """How many count."""
        return len(self.labels)

    @property
    def remark(self) -> str:
        """How many were left out and why, in words; empty if none."""
        if not self.left_out:
            return ""
        return f"{self.left_out} of {self.left_out + self.examples} examples left out: their logits are not finite"

    def nll(self, temperature: float = 1.0) -> float:
        """mean(-log softmax(z / T)[y]) in nats; NaN without examples."""
        gaps = self.gaps()
        top = gaps.max(axis=0)
        rest = np.exp((gaps - top) / temperature).sum(axis=0)
        return float((top / temperature + np.log(rest)).mean()) if self.examples else np.nan

    def gaps(self) -> Floats:
        """z_k - z_y, [class, example]: 0 at the label, positive where another class is ahead of it."""
        gaps: Floats = self.scores - self.scores[self.labels, np.arange(self.examples)]
        return gaps


def labelled(scores: npt.ArrayLike, labels: npt.ArrayLike) -> LabelledScores:
    """The examples that count, of scores [example, class] and labels [example], classes from 0.

    InputError for other shapes, for a single class (a regression output has no probability), and for labels that are
    no classes of these logits.
    """
    rows, classes = np.asarray(scores), np.asarray(labels)
    if rows.ndim != 2 or classes.shape != rows.shape[:1]:
        raise InputError(
            f"calibration needs logits [example, class] and labels [example], received {rows.shape} and {classes.shape}"
        )
    if rows.shape[1] < 2:
        raise InputError("calibration needs at least two classes: a regression output has no probability")
    _check_classes(classes, rows.shape[1])
    finite = np.isfinite(rows).all(axis=1)
    kept = np.ascontiguousarray(rows[finite].T, dtype=np.float64)
    return LabelledScores(kept, classes[finite].astype(np.int64), int((~finite).sum()))


def _check_classes(labels: npt.NDArray[Any], classes: int) -> None:
    if not labels.size:
        return
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels must be whole numbers from 0 to {classes - 1}, received {labels.dtype} values")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise InputError(
            f"labels must be from 0 to {classes - 1}; {wrong.size} of {labels.size} are not, the first is {wrong[0]}"
        )
