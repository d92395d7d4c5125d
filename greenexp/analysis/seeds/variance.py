"""How much of the variance of scores is of the configuration, and how much of each seed.

    y = mu + c_i + a_{i,j} + b_{i,k} + (ab)_{i,jk} + e

c: configuration i; a, b: its initialisation and data-order seeds, crossed; ab: what the two do only together; e: what
differs between repeats with equal seeds. All effects are random, independent, with one variance each. Seeds are nested
in the configuration by default: seed 1 of one configuration has nothing in common with seed 1 of another. With
`shared_seeds` they are crossed with it, so that a seed can also be good or bad for every configuration (`order_seed`),
apart from what it does to one (`configuration x order_seed`): it is the first part that cancels in paired differences.

Only what varies is a source. With one seed column, the seed's variance contains e; with two and no repeats, their
interaction does. If every trial of a configuration has both seeds new, the two cannot be told apart and are one source.

Estimates: mean squares set equal to their expectations (`analysis.seeds.mean_squares`), unbiased, and therefore
negative at
times where a variance is near 0: `estimate` has them as they are, `variance` cut off at 0. Balanced tables of any
design; different numbers of seeds only with one seed column that is nested (unweighted means, Thomas & Hultquist 1978);
anything else is refused with the reason.

Intervals: variances by the modified large-sample method; a single mean square exactly (chi-squared). With one seed
column, the configurations' share sigma_c^2 / (sigma_c^2 + sigma_s^2) has the F-interval, exact for equal numbers of
seeds (Searle, Casella & McCulloch 1992, chapter 3). Each interval has the stated confidence by itself, not all
together.

Assumptions: normal effects (for the intervals; the estimates need none), the same seed variance in each configuration,
configurations drawn at random. A collapsed run among good ones breaks the first two. Where a scheduler stopped the
worse configurations, those left are alike, and the configurations' variance is that of the survivors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from greenexp.analysis.numbers.rounding import unless_rounding
from greenexp.analysis.seeds.mean_squares import (
    RESIDUAL,
    Source,
    Terms,
    interval_of,
    mean_squares,
    unweighted_terms,
    variance_weights,
)
from greenexp.analysis.sweeps.configurations import configuration_states
from greenexp.analysis.sweeps.repetitions import SEEDS, over_folds
from greenexp.records.tables import SweepTables

CONFIGURATION = "configuration"
COLUMNS = (
    "source", "estimate", "variance", "standard_deviation", "share", "lower", "upper", "degrees_of_freedom", "levels",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class VarianceSplit:
    """The variance of scores by source; see the module.

    table: a row per source, COLUMNS: estimate may be negative, variance is not; share of the sum of the variances;
        lower, upper: interval of the variance, cut off at 0; degrees_of_freedom: of the source's mean square; levels:
        how many draws of this source a configuration's mean averages over
    share: (lower, upper) of the configurations' share; NaN unless there is one seed source and several configurations
    mean: mean of the configurations' means; seeds: of one configuration's trials, their harmonic mean where they differ
    design: in words; remarks: what in these data goes against the assumptions, in words
    """

    table: pd.DataFrame
    share: tuple[float, float]
    mean: float
    configurations: int
    seeds: float
    confidence: float
    design: str
    remarks: tuple[str, ...]

    def variance(self, source: str) -> float:
        """Of one source, cut off at 0; 0.0 for a source that did not vary. See `source` in the table."""
        rows = self.table.loc[self.table["source"] == source, "variance"]
        return float(rows.iloc[0]) if len(rows) else 0.0

    @property
    def of_one_trial(self) -> float:
        """Variance of a single trial's score around its configuration's mean: all sources but the configuration."""
        return float(self.table["variance"].sum()) - self.variance(CONFIGURATION)

    @property
    def of_a_mean(self) -> float:
        """Variance of a configuration's mean over its seeds, given the configuration: each source over its levels."""
        return float((self.table["variance"] / self.table["levels"])[self.table["source"] != CONFIGURATION].sum())


def seed_scores(tables: SweepTables) -> pd.DataFrame:
    """The trials of a sweep whose configuration has all its seeds finished: configuration, SEEDS, score.

    Stopped and failed configurations are left out, so where there are some this is a selection (see the module). In a
    sweep with folds a row is a seed with the mean over its folds: folds are no source of this split.
    """
    states = configuration_states(tables.trials)
    complete = [name for name, (state, _) in states.items() if state == "complete"]
    columns = [CONFIGURATION, *SEEDS, "score"]
    trials = over_folds(tables.trials[tables.trials[CONFIGURATION].isin(complete)])
    return trials[columns].reset_index(drop=True)


def variance_split(
    trials: pd.DataFrame,
    seeds: Sequence[str] = SEEDS,
    configuration: str = CONFIGURATION,
    score: str = "score",
    shared_seeds: bool = False,
    confidence: float = 0.95,
) -> VarianceSplit:
    """The variance of `trials[score]` by source; see the module.

    trials: a row per trial; seeds: one or two seed columns; equal seeds twice in a configuration are repeats
    shared_seeds: a seed is the same thing in each configuration. Raises ValueError for scores that are not finite, for
    a design that cannot be split, and where nothing varies within a configuration.
    """
    frame = trials[[configuration, *seeds, score]].reset_index(drop=True)
    if not 0 < confidence < 1 or not 1 <= len(seeds) <= 2:
        raise ValueError("a split needs one or two seed columns, and a confidence between 0 and 1")
    if frame.empty or not np.isfinite(frame[score].to_numpy(dtype=np.float64)).all():
        raise ValueError("every score must be finite: leave out trials without one, knowing that this is a selection")
    frame, factors = _factors(frame, list(seeds), configuration)
    groups = [part[score].to_numpy(dtype=np.float64) for _, part in frame.groupby(configuration, sort=False)]
    names = [configuration, *(factors or ["residual"])]
    table = _balanced(frame, [configuration, *factors], score, shared_seeds)
    if table is not None:
        shape, terms = table.shape, mean_squares(table, nested=not shared_seeds)
    else:
        _refuse_unbalanced(frame, configuration, factors, shared_seeds)
        terms, harmonic = unweighted_terms(groups)
        shape = (len(groups), 0, 1)
    if not any(source != {0} for source in terms):
        raise ValueError("no configuration has two trials, so there is no seed variance to be seen")
    seeds_each = float(table.size / len(groups)) if table is not None else harmonic
    rows = _rows(terms, _weights(terms, shape, seeds_each), names, shared_seeds, confidence)
    rows = rows.assign(levels=[_levels(source, shape, seeds_each) for source in terms])[list(COLUMNS)]
    return VarianceSplit(
        table=rows,
        share=_share(terms, seeds_each, confidence) if len(factors) < 2 and not shared_seeds else (math.nan, math.nan),
        mean=float(np.mean([group.mean() for group in groups])),
        configurations=len(groups),
        seeds=seeds_each,
        confidence=confidence,
        design=_design(len(groups), factors, shape, shared_seeds, balanced=table is not None),
        remarks=_remarks(groups, confidence),
    )


def _factors(frame: pd.DataFrame, seeds: list[str], configuration: str) -> tuple[pd.DataFrame, list[str]]:
    """The seed columns that vary within a configuration; two that always change together as one column."""
    groups = frame.groupby(configuration, sort=False)
    varying = [name for name in seeds if groups[name].nunique().max() > 1]
    if len(varying) == 2:
        counts = groups[varying].nunique()
        pairs = frame.drop_duplicates([configuration, *varying]).groupby(configuration, sort=False).size()
        if all((counts[name] == pairs).all() for name in varying):
            joint = " with ".join(varying)
            return frame.assign(**{joint: frame.groupby(varying, sort=True).ngroup()}), [joint]
    return frame, varying


def _balanced(frame: pd.DataFrame, names: list[str], score: str, shared: bool) -> np.ndarray | None:
    """The scores as [configurations, seeds..., repeats], or None if the cells do not all have as many."""
    codes = [pd.factorize(frame[names[0]])[0]]
    for name in names[1:]:
        if shared:
            codes.append(pd.factorize(frame[name], sort=True)[0])
        else:
            codes.append(frame.groupby(names[0])[name].rank(method="dense").to_numpy().astype(np.int64) - 1)
    sizes = [int(code.max()) + 1 for code in codes]
    cells = np.ravel_multi_index(tuple(codes), tuple(sizes))
    counts = np.bincount(cells, minlength=math.prod(sizes))
    if counts.min() != counts.max():
        return None
    values = frame[score].to_numpy(dtype=np.float64)[np.argsort(cells, kind="stable")]
    return values.reshape(*sizes, int(counts[0]))


def _refuse_unbalanced(frame: pd.DataFrame, configuration: str, factors: list[str], shared: bool) -> None:
    repeated = bool(frame.duplicated([configuration, *factors]).any()) if factors else False
    if len(factors) > 1 or shared or repeated:
        sizes = frame.groupby(configuration, sort=False).size()
        usual = int(sizes.mode().iloc[0])
        odd = [str(name) for name, size in sizes.items() if size != usual]
        named = f"; not {usual} trials: {', '.join(odd[:5])}{', ...' if len(odd) > 5 else ''}" if odd else ""
        what = " x ".join([configuration, *factors])
        raise ValueError(f"{what} is not complete, every cell with as many trials, so it cannot be split{named}")
    if len(frame) == frame[configuration].nunique():
        raise ValueError("no configuration has two trials, so there is no seed variance to be seen")
    if frame[configuration].nunique() < 2:
        raise ValueError("one configuration with unequal repeats cannot be split")


def _weights(terms: Terms, shape: Sequence[int], seeds: float) -> dict[Source, dict[Source, float]]:
    if shape[1:2] == (0,):  # unequal numbers of seeds
        one, within = frozenset({0}), frozenset({0, 1})
        return {one: {one: 1 / seeds, within: -1 / seeds}, within: {within: 1.0}}
    return variance_weights(list(terms), shape)


def _rows(
    terms: Terms, weights: dict[Source, dict[Source, float]], names: list[str], shared: bool, confidence: float
) -> pd.DataFrame:
    rows = []
    for source in terms:
        estimate = sum(weight * terms[other][0] for other, weight in weights[source].items())
        low, high = (max(0.0, bound) for bound in interval_of(weights[source], terms, confidence))
        cut = max(0.0, estimate)
        name = _name(source, names, shared)
        rows.append((name, estimate, cut, math.sqrt(cut), math.nan, low, high, terms[source][1]))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-1]))
    total = table["variance"].sum()
    return table.assign(share=table["variance"] / total if total > 0 else math.nan)


def _name(source: Source, names: list[str], shared: bool) -> str:
    if source == RESIDUAL:
        return "residual"
    if source == {0}:
        return CONFIGURATION
    return " x ".join(names[axis] if axis else CONFIGURATION for axis in sorted(source) if axis or shared)


def _levels(source: Source, shape: Sequence[int], seeds: float) -> float:
    """Over how many draws of this source a configuration's mean averages."""
    if source == RESIDUAL or shape[1:2] == (0,):
        return seeds if source != {0} else 1.0
    return float(math.prod(shape[axis] for axis in source if axis))


def _share(terms: Terms, seeds: float, confidence: float) -> tuple[float, float]:
    if len(terms) != 2 or frozenset({0}) not in terms:  # one configuration, or seeds that were repeated
        return math.nan, math.nan
    between, within = terms.values()
    if within[0] == 0:
        return (1.0, 1.0) if between[0] > 0 else (math.nan, math.nan)
    alpha = (1 - confidence) / 2
    ratios = between[0] / within[0] / stats.f.ppf([1 - alpha, alpha], between[1], within[1])
    low, high = np.maximum(0.0, (ratios - 1) / (ratios - 1 + seeds))
    return float(low), float(high)


def _design(count: int, factors: list[str], shape: Sequence[int], shared: bool, balanced: bool) -> str:
    where = f"{count} configuration{'s' if count > 1 else ''}"
    if not balanced:
        return f"{where}, {factors[0] if factors else 'repeats'} nested, different numbers of trials"
    parts = [f"{size} of {name}" for name, size in zip(factors, shape[1:-1], strict=True)]
    parts += [f"{shape[-1]} repeats"] if shape[-1] > 1 or not parts else []
    return f"{where} x {' x '.join(parts)}, seeds {'shared by' if shared else 'nested in'} the configurations"


def _remarks(groups: Sequence[np.ndarray], confidence: float) -> tuple[str, ...]:
    """What speaks against equal seed variances of normal scores, which the intervals need.

    By Bartlett's test, whose sensitivity to scores that are not normal is wanted here. (Brown & Forsythe's, which is
    robust, sees nothing at five seeds, not even a configuration that always collapses to the same score.)
    """
    testable = [group for group in groups if group.size > 2]
    spread = [unless_rounding(float(group.std(ddof=1)), *groups) for group in testable]
    if len(testable) < 2 or max(spread) == 0:
        return ()
    p = float(stats.bartlett(*testable).pvalue) if min(spread) > 0 else 0.0
    if p >= 1 - confidence:
        return ()
    remark = (
        f"the seed variance is not the same in all configurations, or scores are not normal (Bartlett p = {p:.2g}; "
        f"standard deviations from {min(spread):.3g} to {max(spread):.3g}): the estimates are averages over "
        "configurations, and the intervals do not hold"
    )
    return (remark,)
