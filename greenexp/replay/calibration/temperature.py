"""Temperature scaling: the one number by which logits are divided so that their softmax is calibrated best."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from greenexp.records.arrays import Floats
from greenexp.replay.calibration.labelled import LabelledScores, labelled

T_MIN, T_MAX = 1e-2, 1e2
"""Bounds of a temperature. Trained exits have between about 0.1 and 5, so one far beyond means that the logits do not
determine it. Within the bounds float32 logits from 1e-36 to 1e36 divide without underflow to subnormals and without
overflow, so calibrated logits are as good as the recorded ones."""

_NO_ERROR = f"no example is wrong, so the NLL only falls as the temperature falls: lower bound {T_MIN:g}"
_BELOW = f"the best temperature is below {T_MIN:g}, the lower bound"
_ABOVE = f"the best temperature is above {T_MAX:g}, the upper bound"
_CHANCE = f"the logits are no better than chance, so the NLL only falls as the temperature rises: upper bound {T_MAX:g}"
_FLAT = "within each example all logits are equal, so no temperature changes anything"
_NOTHING = "no example to fit on"
_STEPS = 200
"""Bisection alone needs 59 from the bounds to one unit in the last place; Newton takes about 6."""


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature.

    value: what logits are divided by; None where no example could be used
    nll_before, nll_after: nats per example at 1 and at `value`, on the examples of the fit; NaN where there are none
    examples: how many were used; reason: why the value is no minimum, empty if it is one
    left_out: in words, how many examples could not be used and why; empty if all were
    """

    value: float | None
    nll_before: float
    nll_after: float
    examples: int
    reason: str = ""
    left_out: str = ""

    @property
    def remark(self) -> str:
        """What a reader must know about the value; empty if nothing."""
        return "; ".join(filter(None, (self.reason, self.left_out)))


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> Temperature:
    """The exact minimiser T in [T_MIN, T_MAX] of NLL(T) = mean_i -log softmax(z_i / T)[y_i].

    logits: z, [example, class]; labels: y, [example]. With b = 1 / T and gaps d_k = z_k - z_y,
        NLL = mean log sum_k exp(b d_k),  dNLL/db = mean E_p[d],  d2NLL/db2 = mean Var_p[d] >= 0,  p = softmax(b z):
    convex in b, so the derivative's only zero is found by Newton's method within a bracket, to the last bits of
    float64; no learning rate, and nothing that may stop early. If no example is wrong there is no minimum and T_MIN is
    taken; if the derivative at b = 0 is not negative (on average the label's logit is no larger than the mean of its
    example's logits), T_MAX; likewise if the minimum lies beyond a bound. The remark then says so. Logits that do not
    depend on the class have T = 1. Examples with a NaN or an infinity are left out, and counted in the remark.

    Calibrated probabilities change no prediction, since T > 0. Guo et al. 2017 (On calibration of modern neural
    networks, section 4.2); one per exit, before one threshold for all exits: Schwartz et al. 2020 (The right tool for
    the job, section 3). Raises InputError for regression, labels that are no classes, and shapes that do not fit.
    """
    data = labelled(logits, labels)
    if not data.examples:
        return Temperature(None, np.nan, np.nan, 0, _NOTHING, data.remark)
    value, reason = _minimiser(data)
    before = data.nll()
    after = min(data.nll(value), before)  # T = 1 is within the bounds, so only rounding could make it larger
    return Temperature(value, before, after, data.examples, reason, data.remark)


def _minimiser(data: LabelledScores) -> tuple[float, str]:
    """The temperature, and why it is no minimum."""
    gaps = data.gaps()
    if not gaps.any():
        return 1.0, _FLAT
    if gaps.max() <= 0:
        return T_MIN, _NO_ERROR
    if _slope(gaps, 1 / T_MAX)[0] >= 0:
        return T_MAX, _CHANCE if gaps.mean() >= 0 else _ABOVE
    if _slope(gaps, 1 / T_MIN)[0] <= 0:
        return T_MIN, _BELOW
    return 1 / _root(gaps, 1 / T_MAX, 1 / T_MIN), ""


def _root(gaps: Floats, low: float, high: float) -> float:
    """The b in (low, high) at which the slope is 0, given that it is negative at `low` and positive at `high`."""
    inverse, step = 1.0, high - low
    for _ in range(_STEPS):
        slope, curvature = _slope(gaps, inverse)
        if slope == 0:
            break
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        previous, step = step, -slope / curvature if curvature > 0 else high
        # As in every safeguarded Newton: a step that leaves the bracket, or is not half the last one, is not taken.
        if not low < inverse + step < high or abs(step) > abs(previous) / 2:
            step = sqrt(low) * sqrt(high) - inverse
        if abs(step) <= 2 * np.finfo(np.float64).eps * inverse:
            break
        inverse += step
    return inverse


def _slope(gaps: Floats, inverse: float) -> tuple[float, float]:
    """First and second derivative of the NLL by b = `inverse`."""
    weights = np.exp(inverse * (gaps - gaps.max(axis=0)))
    weights /= weights.sum(axis=0)
    mean = (weights * gaps).sum(axis=0)
    variance = (weights * (gaps - mean) ** 2).sum(axis=0)
    return float(mean.mean()), float(variance.mean())
