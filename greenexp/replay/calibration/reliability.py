"""How well confidence agrees with accuracy: reliability tables and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.replay.calibration.labelled import LabelledScores, labelled

BINS = 15
"""As in Guo et al. 2017."""


@dataclass(frozen=True, eq=False)
class Binned:
    """Confidences in equally wide bins on (0, 1], each (low, high]: per bin how many, their sum, how many are right."""

    examples: npt.NDArray[np.int64]
    confidence: Floats
    right: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """sum_b |right_b - confidence_b| / examples; NaN without examples."""
        total = int(self.examples.sum())
        return float(np.abs(self.right - self.confidence).sum() / total) if total else np.nan

    def table(self) -> pd.DataFrame:
        """Columns bin (from 1) low high examples confidence accuracy; a row per bin (low, high] of the confidence.

        confidence and accuracy are means over a bin's examples, NaN in an empty one.
        """
        bins = len(self.examples)
        edges = np.linspace(0, 1, bins + 1)
        columns = {"bin": np.arange(1, bins + 1), "low": edges[:-1], "high": edges[1:], "examples": self.examples}
        with np.errstate(invalid="ignore"):  # 0 / 0 where a bin is empty
            means = {"confidence": self.confidence / self.examples, "accuracy": self.right / self.examples}
        return pd.DataFrame(columns | means)


def ece(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error, sum_b n_b / n |accuracy_b - confidence_b|: from 0 to 1, NaN without examples.

    probabilities: [example, class]; labels: [example]. An example's confidence is its largest probability, and it is
    right if the first class that has it is the label. The bins are equally wide on (0, 1], each (low, high] as in the
    code of Guo et al.; accuracy_b and confidence_b are means over a bin's n_b examples. Rows with a NaN or an infinity
    are left out. The value depends on the binning: errors of opposite sign within a bin cancel, and noise in sparsely
    filled bins adds up. Compare it at equal bins and equal numbers of examples.

    Naeini, Cooper, Hauskrecht 2015 (Obtaining well calibrated probabilities using Bayesian binning); Guo et al. 2017,
    eq. 3. Raises InputError for rows that are no probabilities, and as `fit_temperature` does.
    """
    data = labelled(probabilities, labels)
    if data.examples and (data.scores.min() < 0 or np.abs(data.scores.sum(axis=0) - 1).max() > 1e-3):
        raise InputError("ece needs probabilities: rows not below 0 that sum to 1; logits go through softmax first")
    return _binned(data.scores, data.labels, bins).ece


def binned(data: LabelledScores, temperature: float = 1.0, bins: int = BINS) -> Binned:
    """The confidences softmax(z / T) of logits, in bins. InputError for a temperature that is not positive."""
    if not 0 < temperature < np.inf:
        raise InputError(f"a temperature must be positive and finite, received {temperature}")
    weights = np.exp((data.scores - data.scores.max(axis=0)) / temperature)
    return _binned(weights / weights.sum(axis=0), data.labels, bins)


def _binned(probabilities: Floats, labels: npt.NDArray[np.int64], bins: int) -> Binned:
    """probabilities: [class, example]."""
    if bins < 1:
        raise InputError(f"bins must be at least 1, received {bins}")
    confidence = probabilities.max(axis=0)
    right = probabilities.argmax(axis=0) == labels
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)  # left: an edge belongs to the bin below it
    return Binned(
        np.bincount(place, minlength=bins),
        np.bincount(place, confidence, minlength=bins).astype(np.float64),
        np.bincount(place[right], minlength=bins),
    )
