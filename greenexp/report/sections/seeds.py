"""What seeds do: scores seed by seed, the variance split, and how much of a lead is noise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.score_tests import score_difference
from greenexp.analysis.seeds.power import smallest_difference
from greenexp.analysis.seeds.seed_budget import seed_plans
from greenexp.analysis.seeds.seed_noise import SeedNoise, seed_noise
from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit, seed_scores, variance_split
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric as Metric
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import SEEDS, has_folds, over_folds
from greenexp.figures import seeds_figure
from greenexp.figures.seeds import MOST_CONFIGURATIONS
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import SHARED_SEEDS, counted, is_crossed
from greenexp.report.table import Column, Table

NAME, TITLE = "seeds", "Seeds: how much of a difference is noise"
MORE = (2, 3, 5, 10, 20, 40)
"""Numbers of seeds to look ahead at."""


def section(tables: SweepTables) -> Section:
    """The strip of scores, the split of the variance, the lead of the best, and what more seeds would tell."""
    metric, trials = metric_of(tables), tables.trials
    if trials.empty or over_folds(trials).groupby("configuration").size().max() == 1:
        said = "One seed per configuration: nothing was repeated, so what a seed does is in every difference, unseen."
        return Section(NAME, TITLE, (said,), assumptions=("Nothing is estimated here.",))
    ranked = configuration_table(tables)
    plates = _strip(tables, ranked, metric)
    complete = seed_scores(tables).dropna(subset=["score"])
    several = len(set(complete["configuration"])) > 1
    split, refusal = _split(complete, shared=several)
    noise = seed_noise(split) if split is not None and several else None
    return Section(
        name=NAME,
        title=TITLE,
        headline=(*_parts(split, refusal), *_lead(complete, ranked, noise, metric)),
        paragraphs=_common(noise),
        plates=plates,
        tables=_tables(split, noise, len(complete), metric),
        assumptions=_assumptions(tables, split, complete, ranked),
    )


def _split(complete: pd.DataFrame, *, shared: bool) -> tuple[VarianceSplit | None, str]:
    if complete.empty:
        return None, "no configuration has all its seeds finished"
    try:
        return variance_split(complete, shared_seeds=shared), ""
    except ValueError as error:
        return None, str(error)


def _strip(tables: SweepTables, ranked: pd.DataFrame, metric: Metric) -> tuple[Plate, ...]:
    """Trials that did not fail, best configuration first; configurations without a mean by their best seed."""
    trials = tables.trials[tables.trials["status"] != "failed"].dropna(subset=["score"])
    if trials.empty:
        return ()
    facts = ranked.set_index("configuration")
    keys = facts["score_mean"].fillna(facts["best_score"])
    place = {
        str(name): rank for rank, name in enumerate(keys.sort_values(ascending=metric.minimize, kind="stable").index)
    }
    frame = trials[["trial", "configuration", *SEEDS, "status", "score"]]
    frame = frame.assign(mean=frame["configuration"].map(facts["score_mean"]))
    frame = frame.sort_values("configuration", key=lambda names: names.map(place), kind="stable", ignore_index=True)
    figure = seeds_figure(frame, metric)
    columns = (
        Column("configuration", "Configuration", "name"),
        Column("trial", "Trial", "name"),
        Column("status", "Status"),
        Column("score", metric.label, "score"),
        Column("mean", "Mean of its configuration", "score"),
    )
    total = frame["configuration"].nunique()
    note = f"The best {MOST_CONFIGURATIONS} of {total} configurations are drawn." if total > MOST_CONFIGURATIONS else ""
    return (Plate(figure, Table(figure.name, figure.title, frame, columns, note)),)


def _parts(split: VarianceSplit | None, refusal: str) -> tuple[str, ...]:
    """Shares of the variance."""
    if split is None:
        return (f"The variance is not split: {refusal}.",)
    table = split.table
    total = float(table["variance"].sum())
    if total == 0:
        return ("All scores are the same: there is no variance to be split.",)
    seeds = split.of_one_trial
    spread = f"standard deviation of one trial over seeds {math.sqrt(seeds):.4f}"
    if split.configurations == 1:
        return (f"One configuration has all its seeds finished: {spread}; nothing to compare it with.",)
    own = split.variance(CONFIGURATION)
    return (
        (
            f"Of the variance of a trial's score, {_percent(own / total)} is between configurations (standard "
            f"deviation {math.sqrt(own):.4f}) and {_percent(seeds / total)} comes with the seeds ({spread})."
        ),
    )


def _lead(complete: pd.DataFrame, ranked: pd.DataFrame, noise: SeedNoise | None, metric: Metric) -> tuple[str, ...]:
    """The best against the second best of those with all seeds finished, seed by seed."""
    order = [str(name) for name in ranked["configuration"] if name in set(complete["configuration"])]
    if len(order) < 2:
        return ()
    scores = [complete[complete["configuration"] == name].set_index(list(SEEDS))["score"] for name in order[:2]]
    pairs = pd.concat(scores, axis=1, join="inner").to_numpy()
    if len(pairs) < 2:
        return ()
    found = score_difference(pairs[:, 0], pairs[:, 1], paired=True)
    lead = abs(found.mean)
    ends = ""
    if not math.isnan(found.lower):
        low, high = sorted((found.lower, found.upper)) if not metric.minimize else sorted((-found.upper, -found.lower))
        verdict = "which includes 0" if low <= 0 <= high else "which excludes 0"
        ends = f", 95 % interval of the paired difference {low:.4f} to {high:.4f}, {verdict}"
    sentence = f"{order[0]} is {lead:.4f} better than {order[1]} over {counted(len(pairs), 'shared seed')}{ends}."
    if noise is None or math.isnan(noise.share):
        return (sentence,)
    known = dict.fromkeys((_percent(noise.lower), _percent(noise.upper))) if not math.isnan(noise.lower) else {}
    between = f" (95 % interval: {' to '.join(known)})" if known else ""
    return (
        sentence,
        (
            f"By the noise of all configurations, seeds alone give a difference of two means a standard deviation of "
            f"{noise.of_a_difference:.4f}: in the normal model {order[0]} is the better of the two with probability "
            f"{_probability(noise.probability_of_lead(lead))}."
        ),
        (
            f"Between two configurations drawn at random, {_percent(noise.share)} of the variance of the difference of "
            f"their means is seed noise{between}."
        ),
    )


def _common(noise: SeedNoise | None) -> tuple[str, ...]:
    if noise is None or math.isnan(noise.common):
        return ()
    return (
        (
            f"By estimate, {_percent(noise.common)} of the seeds' variance is common to all configurations (a "
            "seed that is good for one is good for all) and cancels in differences; the table has the intervals."
        ),
    )


def _tables(split: VarianceSplit | None, noise: SeedNoise | None, trials: int, metric: Metric) -> tuple[Table, ...]:
    if split is None:
        return ()
    columns = (
        Column("source", "Source", "name"),
        Column("variance", "Variance", "number"),
        Column("standard_deviation", "Standard deviation", "score"),
        Column("deviation_lower", "From", "score"),
        Column("deviation_upper", "to", "score"),
        Column("share", "Share", "score"),
        Column("degrees_of_freedom", "Degrees of freedom", "count"),
    )
    table = split.table
    frame = table.assign(deviation_lower=np.sqrt(table["lower"]), deviation_upper=np.sqrt(table["upper"]))
    note = f"{split.design}. From, to: 95 % interval of the standard deviation, each for itself."
    tables = [Table("variance", "Variance by source", frame, columns, note)]
    if noise is not None and noise.one > 0:
        tables += [_more_seeds(noise), *_plans(split, noise, trials, metric)]
    return tuple(tables)


def _more_seeds(noise: SeedNoise) -> Table:
    difference = math.sqrt(2) * noise.one
    rows = [(s, difference / math.sqrt(s), smallest_difference(s, difference, paired=True)) for s in MORE]
    frame = pd.DataFrame(rows, columns=["seeds", "standard_error", "found"])
    columns = (
        Column("seeds", "Seeds", "count"),
        Column("standard_error", "Standard error of a difference", "score"),
        Column("found", "Difference found in 80 %", "score"),
    )
    note = (
        "Found: the true difference of two configurations that a paired t test (two-sided, 5 %) finds with probability "
        "80 %, at the seed noise estimated here."
    )
    return Table("more-seeds", "What more seeds would tell apart", frame, columns, note)


def _plans(split: VarianceSplit, noise: SeedNoise, trials: int, metric: Metric) -> list[Table]:
    """As many trials, spent on fewer or more seeds."""
    tau = math.sqrt(split.variance(CONFIGURATION))
    if tau == 0:
        return []
    each = sorted({s for s in (1, *MORE, int(split.seeds)) if 2 * s <= trials})
    frame = seed_plans(trials, tau, noise.one, split.mean, each, metric.minimize)
    columns = (
        Column("seeds", "Seeds each", "count"),
        Column("configurations", "Configurations", "count"),
        Column("expected_true", "Worth of the one chosen", "score"),
        Column("expected_shown", "Its mean, as shown", "score"),
        Column("optimism", "Optimism", "score"),
    )
    note = (
        f"{trials} trials spent on fewer or more seeds, in expectation, if configurations and seeds were normal with "
        "the standard deviations estimated here. Optimism: how much better the chosen one looks than it is."
    )
    return [Table("seed-plans", "The same number of trials, spent otherwise", frame, columns, note)]


def _assumptions(
    tables: SweepTables, split: VarianceSplit | None, complete: pd.DataFrame, ranked: pd.DataFrame
) -> tuple[str, ...]:
    used, planned = complete["configuration"].nunique(), len(ranked)
    notes = [f"{used} of {planned} configurations have all their seeds finished; numbers here are over those."]
    stopped = int(ranked["state"].isin(["stopped", "stopped apart"]).sum())
    if stopped and used:
        notes.append(
            f"{counted(stopped, 'configuration')} stopped early left out: those that remain were chosen for being "
            "good, are more alike than the search space, and their best leads by luck too."
        )
    if split is not None:
        notes.append(
            "Random effects with one variance each, and normal for the intervals; variances are set from mean squares, "
            "negative estimates cut off at 0. "
            "Probabilities take the estimates for the truth. The best was chosen by the same scores: its lead "
            "is too large on average."
        )
        notes += [f"{remark[0].upper()}{remark[1:]}." for remark in split.remarks]
    if is_crossed(tables.spec.get("seeds") or {}):
        notes.append(SHARED_SEEDS)
    if has_folds(tables.trials):
        notes.append(
            "The score of a seed is the mean over its folds, and where trials are counted here, a trial is a seed with "
            "all of them. Folds are no source of the variance: what they differ by is neither drawn at random nor "
            "independent, as their training sets overlap. The dots are single folds."
        )
    return tuple(notes)


def _probability(value: float) -> str:
    return "above 0.99" if value > 0.99 else f"{value:.2f}"


def _percent(share: float) -> str:
    return "less than 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"
