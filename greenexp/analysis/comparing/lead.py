"""Whether the best configuration of a sweep is better than the next: one verdict, over seeds and over dev examples.

All configurations have the same seeds and are scored on the same dev examples. With d_ie what example e contributes to
the lead of the first over the second with seed i, i = 1 .. S, e = 1 .. n,

    d_ie = lead + a_i + b_e + c_ie          a: of the seed, b: of the example, c: of the two together

another run has other seeds and, as the report is about the task and not about these examples, other examples. So the
variance of the mean lead has two parts:

    v_seeds     s^2 / S, s^2 the variance of the S mean differences. It is the bootstrap variance for S - 1 seeds drawn
                from S, which makes it unbiased (Rao & Wu 1988), and is exact without drawing
    v_examples  the variance, over 2,000 samples of n examples drawn with replacement, the same for both configurations
                and all seeds, of the mean lead on that sample: a paired bootstrap, which holds for any metric

    lead +- t_f sqrt(v),   v = v_seeds + v_examples,   f = v^2 / (v_seeds^2 / (S - 1) + v_examples^2 / (n - 1))

(Satterthwaite 1946). c_ie is in both parts, so the interval is a little too wide where it is large; a bootstrap that
draws seeds and examples (Owen 2007) would count it three times. Its percentiles are no alternative: two seeds drawn
from two are too alike. Simulated with normal effects and n = 200, the interval of 95 % contains the lead in 95 to 98 %
of the cases, with 2, 3 and 5 seeds; where the seeds' own effect is by far the largest, in 91, 94 and 96 %
(`docs/results/coverage.md`).

The verdict: `told apart` if the interval excludes 0; `not told apart` if it includes 0; `cannot be told` where a part
of the noise is not known that could change the answer, such as that of the seeds with one seed each.

Without answers to single examples v_examples is not known. For an accuracy, that of two independent samples of n
examples, 2 p (1 - p) / n, is an upper bound in practice, as the same examples are hard for both: it is used, and called
binomial.

Assumptions: seeds and examples are independent draws; the t interval is approximate. The two were chosen as the best
two by the same scores: with many configurations alike, the lead is too large on average.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from greenexp.analysis.numbers.rounding import unless_rounding

RESAMPLES = 2_000
SAME_WITH_EVERY_SEED = (
    "they differ by the same amount with every seed, which says nothing about the noise, and single examples are not "
    "recorded"
)
EXAMPLES_UNKNOWN = (
    "the seeds alone exclude 0, but the choice of dev examples could make such a lead, and single examples are not "
    "recorded"
)


class LeadVerdict(StrEnum):
    """Whether the first is better than the second."""

    APART = "told apart"
    NOT_APART = "not told apart"
    UNKNOWN = "cannot be told"


class Basis(StrEnum):
    """What the uncertainty of a lead is over."""

    BOTH = "seeds and dev examples"
    EXAMPLES = "dev examples"
    SEEDS = "seeds"
    BINOMIAL = "seeds, and a binomial bound for dev examples"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LeadInterval:
    """A lead, and how sure it is; in the metric's unit, above 0 if the first is better.

    error: sqrt(v_seeds + v_examples); error_of_seeds, error_of_examples: the roots of the parts, NaN where a part is
        not known; lower, upper, p: two-sided, NaN where nothing is known of the noise
    seeds: S; examples: n, 0 where the examples are not known
    """

    lead: float
    lower: float
    upper: float
    p: float
    error: float
    error_of_seeds: float
    error_of_examples: float
    seeds: int
    examples: int
    basis: Basis
    confidence: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of 0."""
        return self.lower > 0 or self.upper < 0


def lead_interval(
    differences: ArrayLike,
    resampled: ArrayLike | None = None,
    examples: int = 0,
    binomial: float = math.nan,
    confidence: float = 0.95,
    scores: ArrayLike = (),
) -> LeadInterval:
    """The lead with its interval; see the module.

    Parameters
    ----------
    differences : 1D array of floats, required
        [S], the first configuration's score minus the second's, seed by seed; the sign is turned where less is better.
    resampled : 2D array of floats, default None
        [R, S], the same differences on R samples of the examples; None if they cannot be resampled.
    examples : int, default 0
        The number of dev examples, 0 if it is not known.
    binomial : float, default NaN
        A bound of the standard error over examples, used where `resampled` is None.
    confidence : float in (0, 1), default 0.95
        Of the interval.
    scores : array of floats, default ()
        The scores behind the differences, which say how large their rounding is.

    Returns
    -------
    LeadInterval
        NaN bounds where there is neither a second seed nor anything about examples.

    """
    each = np.asarray(differences, dtype=np.float64)
    behind = scores if np.size(scores) else each
    seeds, mean = each.size, float(each.mean())
    lead = math.copysign(unless_rounding(abs(mean), behind), mean)
    spread = unless_rounding(float(each.std(ddof=1)), behind) if seeds > 1 else math.nan
    of_seeds = spread / math.sqrt(seeds)
    if resampled is not None:
        of_examples = float(np.asarray(resampled, dtype=np.float64).mean(axis=1).std(ddof=1))
        basis = Basis.BOTH if seeds > 1 else Basis.EXAMPLES
    else:
        of_examples = binomial
        basis = Basis.NOTHING if seeds < 2 else Basis.SEEDS if math.isnan(binomial) else Basis.BINOMIAL
    parts = [(error**2, degrees) for error, degrees in ((of_seeds, seeds - 1), (of_examples, max(1, examples - 1)))]
    measured = [(variance, degrees) for variance, degrees in parts if not math.isnan(variance)]
    total = sum(variance for variance, _ in measured)
    if total == 0 or basis is Basis.NOTHING:
        unknown = math.nan
        return LeadInterval(
            lead, unknown, unknown, unknown, unknown, of_seeds, of_examples, seeds, examples, basis, confidence
        )
    degrees = total**2 / sum(variance**2 / number for variance, number in measured)
    error = math.sqrt(total)
    reach = float(stats.t.ppf((1 + confidence) / 2, degrees)) * error
    p = 2 * float(stats.t.sf(abs(lead) / error, degrees))
    return LeadInterval(
        lead, lead - reach, lead + reach, p, error, of_seeds, of_examples, seeds, examples, basis, confidence
    )


def lead_verdict(interval: LeadInterval) -> tuple[LeadVerdict, str]:
    """The verdict, and its reason as the end of a sentence."""
    if math.isnan(interval.lead):
        return LeadVerdict.UNKNOWN, "they have no seed in common"
    if interval.lead == 0:
        return LeadVerdict.NOT_APART, "their means are equal"
    if interval.basis is Basis.NOTHING:
        return LeadVerdict.UNKNOWN, "each has one seed, and single examples are not recorded"
    if math.isnan(interval.error):
        return LeadVerdict.UNKNOWN, SAME_WITH_EVERY_SEED
    if interval.basis is Basis.EXAMPLES and interval.excludes_zero:
        return LeadVerdict.UNKNOWN, "each has one seed, and how much of the lead is due to the seed is not known"
    if interval.excludes_zero:
        only = ", for these dev examples" if interval.basis is Basis.SEEDS else ""
        return LeadVerdict.APART, f"the interval excludes 0{only}"
    if interval.basis is Basis.BINOMIAL and _by_seeds_alone(interval):
        return LeadVerdict.UNKNOWN, EXAMPLES_UNKNOWN
    return LeadVerdict.NOT_APART, "the interval includes 0"


def _by_seeds_alone(interval: LeadInterval) -> bool:
    """Whether the t interval over the seeds excludes 0; seeds that do not vary exclude it too."""
    bound = float(stats.t.ppf((1 + interval.confidence) / 2, interval.seeds - 1))
    return abs(interval.lead) > bound * interval.error_of_seeds
