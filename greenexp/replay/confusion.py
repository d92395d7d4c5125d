"""Confusion: how far the exits below are from what the last one says (Kaya et al. 2019, section 5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.replay.record import ExitRecord

PARTS = 10
_KINDS = {"part": "int64", "examples": "int64", "confusion": "float64", "wrong": "float64", "area": "float64"}


def confusion_scores(record: ExitRecord) -> npt.NDArray[np.float64]:
    """[example]: C = sum over exits m < M of |p_m - p_M|_1, p_m the softmax of exit m, M the last; 0 to 2 (M - 1).

    The official code standardises C over the examples, which changes neither their order nor what follows from it.
    """
    logits = record.logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    found: npt.NDArray[np.float64] = np.abs(probabilities[:-1] - probabilities[-1]).sum(axis=(0, 2))
    return found


def confusion(record: ExitRecord) -> pd.DataFrame:
    """part, examples, confusion, wrong, area: a row per tenth of the examples by rising confusion, from 1.

    confusion: mean C of the part; wrong: share of it that the last exit gets wrong. Of fewer than ten examples each is
    a part. area: the same in every row: the probability that an example which the last exit gets wrong has more
    confusion than one that it gets right, ties count half (the area under the ROC curve); NaN if it gets all right, or
    all wrong. No rows for regression, and for a single exit.
    """
    exits, examples = record.logits.shape[:2]
    if record.is_regression or exits < 2 or examples == 0:
        return pd.DataFrame({name: [] for name in _KINDS}).astype(_KINDS)
    scores, wrong = confusion_scores(record), record.predictions()[-1] != record.labels
    parts = np.array_split(np.argsort(scores, kind="stable"), min(PARTS, examples))
    table = {
        "part": range(1, len(parts) + 1),
        "examples": [len(part) for part in parts],
        "confusion": [scores[part].mean() for part in parts],
        "wrong": [wrong[part].mean() for part in parts],
        "area": area_under_roc(scores, wrong),
    }
    return pd.DataFrame(table).astype(_KINDS)


def area_under_roc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """P(a positive's score > a negative's) + P(equal) / 2, by ranks; NaN without one of the kinds."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    ranks = float(pd.Series(scores).rank()[positive].sum())
    return (ranks - count * (count + 1) / 2) / (count * others)
