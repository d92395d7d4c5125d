"""The upper tail of a search's scores, as a parametric model: what lies beyond the best score seen.

Near its best value, a smooth score is quadratic in the hyperparameters. A random search then has, close to the best
possible score b, P(score > y) proportional to (b - y)^(g/2), g being the effective number of hyperparameters (the
quadratic distributions of Lourie et al.'s package opda, whose documentation states this limit). Above a threshold u,

    bounded      P(Y > y | Y > u) = ((b - y)/(b - u))^k, u <= y <= b, k = g/2: the generalised Pareto distribution with
                 shape -1/k < 0, by which extreme value theory describes any tail that ends, quadratic or not
    noisy_quadratic   that of opda: the same plus Gaussian noise, fitted to the whole upper tail by maximum spacing

`bounded` is fitted as opda fits: by the likelihood of grouped data, one observation more being above the best seen
(maximum product of spacings, Cheng & Amin 1983; Titterington 1985 for ties). With u < z_1 < ... < z_m the distinct
scores above the threshold and r_i how often each was seen,

    maximise  sum_i r_i ln(G(z_i) - G(z_{i-1})) + ln(1 - G(z_m)),   G(y) = 1 - ((b - y)/(b - u))^k, z_0 = u,

over b and k >= 1, two effective hyperparameters or more. Plain likelihood puts b at the best score seen where k = 1 and
has no maximum below; the extra observation keeps b above it. (With k from 1/2 on, as a quadratic in one hyperparameter
would have it, noise near the best score reads as a steep end: curves of the best of 400 predicted from 48 trials of
DeBERTa searches came out lower, 1.5 against 1.2 thousandths of root mean square error.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import optimize

from greenexp.records.arrays import Floats

Model = Literal["bounded", "noisy_quadratic"]
MODELS: tuple[Model, ...] = get_args(Model)
_LEAST = 5
_EXPONENTS = (1.0, 50.0)
_FARTHEST = 20.0
"""How far above the best score b may lie, in lengths of the observed tail: there, it is as good as exponential."""


@dataclass(frozen=True, eq=False)
class Tail:
    """A fitted upper tail.

    quantile: levels [...] above `level` -> scores; NaN for levels below it, which the model says nothing about
    threshold: u; level: F(u), the share of scores at or below it; used: how many scores lie above
    """

    model: Model
    parameters: Mapping[str, float]
    threshold: float
    level: float
    used: int
    quantile: Callable[[Floats], Floats]


def fit_tail(scores: Floats, model: Model, share: float, most: float, rng: np.random.Generator) -> Tail:
    """The tail of the best `share` of `scores`.

    scores: [N], finite, more being better; most: the greatest there can be;
    rng: for opda's optimiser alone. Raises ValueError if fewer than five distinct scores lie above the threshold.
    """
    ascending = np.sort(scores)
    threshold = float(ascending[max(0, math.ceil((1 - share) * ascending.size) - 1)])
    above = ascending[ascending > threshold]
    if np.unique(above).size < _LEAST:
        raise ValueError(
            f"only {np.unique(above).size} distinct scores in the best {100 * share:g} %, too few to fit a tail to"
        )
    level = 1 - above.size / ascending.size
    if model == "noisy_quadratic":
        return _of_opda(ascending, threshold, level, above.size, most, rng)
    end, exponent = _fitted(above, threshold, most)

    def quantile(levels: Floats) -> Floats:
        left = (1 - levels) / (1 - level)
        inside = np.where(left <= 1, left, np.nan)
        return np.asarray(end - (end - threshold) * inside ** (1 / exponent), dtype=np.float64)

    return Tail("bounded", {"end": end, "exponent": exponent}, threshold, level, above.size, quantile)


def _fitted(above: Floats, threshold: float, most: float) -> tuple[float, float]:
    """(b, k) for the scores above the threshold."""
    knots, counts = np.unique(above, return_counts=True)
    length = float(knots[-1]) - threshold
    room = min(_FARTHEST, (most - float(knots[-1])) / length)
    if room <= 0:
        raise ValueError(f"the best score, {knots[-1]:g}, is the greatest there can be: nothing to extrapolate to")
    reach = (knots - threshold) / length

    def loss(at: Floats) -> float:
        end, exponent = 1 + math.exp(at[0]), math.exp(at[1])
        survival = np.exp(exponent * np.log1p(-reach / end))
        steps = np.maximum(-np.diff(survival, prepend=1.0), 1e-300)
        return -float(counts @ np.log(steps) + math.log(max(survival[-1], 1e-300)))

    farthest = math.log(room)
    bounds = [(min(math.log(1e-6), farthest), farthest), (math.log(_EXPONENTS[0]), math.log(_EXPONENTS[1]))]
    starts = [np.array([min(math.log(gap), farthest), math.log(k)]) for gap in (0.01, 0.2, 2.0) for k in (1.5, 4.0)]
    found = [optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(found, key=lambda result: float(result.fun)).x
    return threshold + length * (1 + math.exp(best[0])), math.exp(best[1])


def _of_opda(
    ascending: Floats, threshold: float, level: float, used: int, most: float, rng: np.random.Generator
) -> Tail:
    try:
        from opda.parametric import NoisyQuadraticDistribution
    except ImportError as error:
        raise ValueError("model 'noisy_quadratic' is opda's, which is not installed: pip install opda") from error
    limits: dict[str, object] = {"convex": False}
    if math.isfinite(most):
        limits["b"] = (float(ascending[0]) - abs(most - float(ascending[0])), most)
    fitted = NoisyQuadraticDistribution.fit(ascending, limits=(threshold, math.inf), constraints=limits, generator=rng)
    names = {"start": fitted.a, "end": fitted.b, "hyperparameters": fitted.c, "noise": fitted.o}

    def quantile(levels: Floats) -> Floats:
        found = np.asarray(fitted.ppf(levels), dtype=np.float64)
        return np.where(levels >= level, np.minimum(found, most), np.nan)

    parameters = {name: float(value) for name, value in names.items()}
    return Tail("noisy_quadratic", parameters, threshold, level, used, quantile)
