"""Groups of scores side by side over their seeds: distributions, differences, every test, and what the tests can find.

Every pair of groups is tested, and each test is corrected over all pairs by itself (Holm 1979). Which of the tests
counts has to be chosen before the p-values are seen; the verdict is that of the t test, Welch's for unpaired seeds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.pairwise import LEAST_PERMUTATIONS, PERMUTATIONS, affordable, holm
from greenexp.analysis.comparing.power import seeds_needed, smallest_difference
from greenexp.analysis.comparing.score_distribution import distribution_table, quantile_table
from greenexp.analysis.comparing.score_tests import compare_scores, score_tests
from greenexp.analysis.comparing.stochastic_order import BOOTSTRAP
from greenexp.analysis.findings import Findings
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.records.arrays import Floats
from greenexp.records.scores import CONFIGURATION, GROUP, SCORE, Scores

Samples = Mapping[str, "pd.Series[float]"]
"""Group -> its independent scores, indexed by what makes pairs of them."""
WELCH, PAIRED_T = "welch", "paired_t"
MOST_GROUPS = 20
"""Beyond this every pair is too many to read, and too many to correct for."""
LEAST_BOOTSTRAP = 200
BOOTSTRAP_CELLS = 10_000_000
"""Scores drawn in the bootstrap samples of all pairs together, each sorted: what takes a few seconds."""
QUARTILES = (0.25, 0.5, 0.75)
ORDER_IS_NO_TEST = (
    "epsilon_min (almost-stochastic order, of a above b and in reverse) is a description and no test: of two samples "
    "of one distribution, 3 to 30 scores each, 18 to 21 % came out below 0.5 in one direction and 3 to 9 % below 0.2, "
    "and it is 0 wherever two samples do not overlap, however few the scores (docs/results/how-many-seeds.md)"
)
TEST_NAMES = {WELCH: "Welch's t test", PAIRED_T: "The paired t test"}


def compare_methods(scores: Scores, options: SeedOptions) -> Findings:
    """Every pair of groups by every test.

    Parameters
    ----------
    scores : Scores, required
        Trials with a finite score, and one or two columns of seeds.
    options : SeedOptions, required
        `confidence`, `power`, `difference`, `paired` and `seed` count.

    Returns
    -------
    Findings
        The tables methods, distribution, pairs, tests and reach; a refusal where no two groups can be compared.

    """
    notes: list[str] = []
    samples, refusal = _samples(scores, options, notes)
    if refusal:
        return Findings(refusal=refusal, notes=tuple(notes))
    rng = np.random.default_rng(options.seed)
    effort = _effort(samples)
    pairs, tests = [], []
    for a, b in itertools.combinations(samples, 2):
        pair = _Pair(a, b, *_values(a, b, samples, options, notes))
        if pair.ours.size < 2:
            notes.append(f"{a} and {b} have fewer than two seeds in common, so they are not compared")
            continue
        pairs.append(pair.row(options, rng, effort, minimize=scores.minimize))
        results = score_tests(pair.ours, pair.theirs, rng, options.paired, effort.permutations)
        tests.append(results.assign(a=a, b=b, n_a=pair.ours.size, n_b=pair.theirs.size))
    if not pairs:
        return Findings(refusal="no two groups have two seeds in common, so no pair can be compared seed by seed")
    tested = _corrected(pd.concat(tests, ignore_index=True))
    reach = _reach(tested, len(pairs), options.alpha)
    values = {name: sample.to_numpy(dtype=np.float64) for name, sample in samples.items()}
    tables = {
        "methods": quantile_table(values, QUARTILES, options.confidence),
        "distribution": distribution_table(values, options.confidence),
        "pairs": pd.concat(pairs, ignore_index=True),
        "tests": tested,
        "reach": reach,
    }
    verdict = _verdict(tables["pairs"], tested, options, minimize=scores.minimize)
    return Findings(verdict, tables, notes=(*notes, *effort.notes, *_notes(reach, len(pairs), options)))


def _samples(scores: Scores, options: SeedOptions, notes: list[str]) -> tuple[dict[str, pd.Series[float]], str]:
    """The groups with two scores or more, or why there are not two of them."""
    samples, refusal = _independent(scores, options, notes)
    if refusal:
        return {}, refusal
    for name in [name for name, sample in samples.items() if len(sample) < 2]:
        notes.append(f"{name} has one score, which has no spread: it is left out of the comparison")
        del samples[name]
    if len(samples) < 2:
        return {}, f"a comparison needs two groups with two scores each, and '{scores.by}' gives {len(samples)}"
    if len(samples) > MOST_GROUPS:
        return {}, f"'{scores.by}' gives {len(samples)} groups, and at most {MOST_GROUPS} are compared pair by pair"
    return samples, ""


def _independent(scores: Scores, options: SeedOptions, notes: list[str]) -> tuple[dict[str, pd.Series[float]], str]:
    """The independent scores of each group, or why there are none.

    Trials by their seeds if a group is one configuration. Else trials of a configuration depend on each other, and the
    scores are the configurations' means over their seeds.
    """
    trials = scores.frame
    groups = dict(iter(trials.groupby(GROUP, sort=False)))
    if max(members[CONFIGURATION].nunique() for members in groups.values()) > 1:
        pairs = ", and equal configurations are pairs" if options.paired else ""
        notes.append(
            "groups have several configurations, whose trials depend on each other: a score is here a configuration's "
            f"mean over its seeds{pairs}"
        )
        means = {str(n): part.groupby(CONFIGURATION, sort=False)[SCORE].mean() for n, part in groups.items()}
        return means, ""
    seeds = list(scores.seeds)
    again = int(trials.duplicated([GROUP, *seeds]).sum())
    if again:
        return {}, (
            f"{again} of {len(trials)} trials have the seeds of another trial of their group, and are no independent "
            "scores; choose rows by the value of a column, or name the column that tells configurations apart"
        )
    crossed = [part for part in groups.values() if len(seeds) > 1 and min(part[seeds].nunique()) > 1]
    if any(part[name].duplicated().any() for part in crossed for name in seeds):
        notes.append("trials of a group share seeds (crossed), so they are not independent, and p-values are too small")
    return {str(name): part.set_index(seeds)[SCORE] for name, part in groups.items()}, ""


def _values(a: str, b: str, samples: Samples, options: SeedOptions, notes: list[str]) -> tuple[Floats, Floats]:
    """The scores of two groups, in the same order of seeds if they are paired."""
    if not options.paired:
        return np.asarray(samples[a], dtype=np.float64), np.asarray(samples[b], dtype=np.float64)
    both = pd.concat([samples[a], samples[b]], axis=1, join="inner")
    alone = len(samples[a]) + len(samples[b]) - 2 * len(both)
    if alone and len(both):
        notes.append(f"{a}, {b}: {alone} scores have no partner and are left out of the comparison of this pair")
    return np.asarray(both.iloc[:, 0], dtype=np.float64), np.asarray(both.iloc[:, 1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Effort:
    """Random permutations and bootstrap samples of a pair."""

    permutations: int
    bootstrap: int

    @property
    def notes(self) -> list[str]:
        """What is said where there are so many scores that either is fewer than usually."""
        fewer = [
            f"{now} {what} (usually {usual})"
            for now, usual, what in (
                (self.permutations, PERMUTATIONS, "random permutations"),
                (self.bootstrap, BOOTSTRAP, "bootstrap samples"),
            )
            if now < usual
        ]
        return [f"there are so many scores that each pair has {' and '.join(fewer)}"] if fewer else []


def _effort(samples: Samples) -> _Effort:
    """How often each pair is resampled, so that many groups of many scores take no more than some seconds."""
    sizes = [len(sample) for sample in samples.values()]
    return _Effort(
        affordable(sizes, PERMUTATIONS, LEAST_PERMUTATIONS),
        affordable(sizes, BOOTSTRAP, LEAST_BOOTSTRAP, BOOTSTRAP_CELLS),
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two groups, and their scores."""

    a: str
    b: str
    ours: Floats
    theirs: Floats

    def row(self, options: SeedOptions, rng: np.random.Generator, effort: _Effort, *, minimize: bool) -> pd.DataFrame:
        """Difference, effect sizes and order, and the smallest true difference that a t test finds at this noise."""
        test = PAIRED_T if options.paired else WELCH
        samples = {self.a: self.ours, self.b: self.theirs}
        row = compare_scores(samples, rng, test, options.confidence, minimize, bootstrap=effort.bootstrap)
        row = row.drop(columns=["p", "p_holm", "p_bonferroni", "test"])
        sd, other = self._deviations(paired=options.paired)
        detectable = needed = math.nan
        if sd > 0:
            smallest = min(self.ours.size, self.theirs.size)
            detectable = smallest_difference(smallest, sd, other, options.paired, options.power, options.alpha)
            if options.difference is not None:
                seeds = seeds_needed(options.difference, sd, other, options.paired, options.power, options.alpha)
                needed = math.nan if seeds is None else float(seeds)
        row = row.assign(smallest_difference=detectable)
        return row if options.difference is None else row.assign(needed=needed)

    def _deviations(self, *, paired: bool) -> tuple[float, float | None]:
        """As the t test takes them: of the differences, or of the two groups, the larger first, as one may be 0."""
        if paired:
            return float((self.ours - self.theirs).std(ddof=1)), None
        larger, smaller = sorted((float(values.std(ddof=1)) for values in (self.ours, self.theirs)), reverse=True)
        return larger, smaller


def _corrected(tests: pd.DataFrame) -> pd.DataFrame:
    """p_holm over the pairs, test by test; a test that is not defined counts as one all the same."""
    for _, rows in tests.groupby("test", sort=False):
        defined = rows["p"].notna()
        tests.loc[rows.index[defined], "p_holm"] = holm(rows["p"].fillna(1.0))[defined]
    return tests[["a", "b", "n_a", "n_b", "test", "statistic", "p", "p_holm", "least_p", "method"]]


def _reach(tests: pd.DataFrame, pairs: int, alpha: float) -> pd.DataFrame:
    """The smallest p-value that these numbers of scores can give, before and after Holm's correction.

    It is that of the pair that allows the smallest. Holm's smallest is the number of pairs times the smallest p, so no
    pair comes below that bound. can_find: whether it is at most `alpha`; None where the bound is not known, as of ranks
    taken for normal. A t test takes scores for normal and can give any p-value.
    """
    least = tests.groupby("test", sort=False)["least_p"].min()
    corrected = np.minimum(1.0, least.to_numpy(dtype=np.float64) * pairs)
    able = [
        bool(bound <= alpha) if bound > 0 or name in TEST_NAMES else None
        for name, bound in zip(least.index, corrected, strict=True)
    ]
    columns = {"test": least.index, "least_p": least.to_numpy(), "least_p_holm": corrected}
    return pd.DataFrame({**columns, "can_find": pd.Series(able, dtype=object)})


def _verdict(pairs: pd.DataFrame, tests: pd.DataFrame, options: SeedOptions, *, minimize: bool) -> tuple[str, ...]:
    """Which pairs the t test tells apart."""
    test = PAIRED_T if options.paired else WELCH
    rows = tests[tests["test"] == test].merge(pairs[["a", "b", "difference"]], on=["a", "b"])
    clear = rows[rows["p_holm"] <= options.alpha]
    rule = f"at the level {options.alpha:g}{', corrected for all pairs by Holm' if len(rows) > 1 else ''}"
    if clear.empty:
        return (f"{TEST_NAMES[test]} finds no difference between any two of the groups {rule}.",)
    named = []
    for row in clear.to_dict("records"):
        first = (row["difference"] > 0) != minimize
        better, worse = (row["a"], row["b"]) if first else (row["b"], row["a"])
        named.append(f"{better} is better than {worse} by {abs(row['difference']):.4g} (p {row['p_holm']:.2g})")
    rest = len(named) - 5
    listed = "; ".join(named[:5]) + (f"; and {rest} more" if rest > 0 else "")
    return (f"{TEST_NAMES[test]} finds {len(clear)} of {len(rows)} pairs different {rule}: {listed}.",)


def _notes(reach: pd.DataFrame, pairs: int, options: SeedOptions) -> list[str]:
    corrected = (
        f"p_holm is corrected for {pairs} pair{'s' * (pairs != 1)}, within each test. Choose the test before looking "
        "at p-values: taking the smallest of several is testing more often than that"
    )
    out_of_reach = [
        (
            f"{row.test} cannot find anything here at the level {options.alpha:g}: with this number of seeds its "
            f"smallest p-value is {row.least_p:.2g}, corrected {row.least_p_holm:.2g}"
        )
        for row in reach.loc[reach["can_find"].eq(False)].itertuples()
    ]
    return [ORDER_IS_NO_TEST, corrected, *out_of_reach]
