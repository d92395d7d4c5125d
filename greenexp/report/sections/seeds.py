"""What seeds do: scores seed by seed, the variance split, and how much of a lead is noise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.lead_of_sweep import Lead, lead_of_best
from greenexp.analysis.seeds.of_sweep import sweep_seed_scores
from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.planning import SeedPlans
from greenexp.analysis.seeds.seed_noise import seed_noise
from greenexp.analysis.seeds.splitting import BY, GroupSplit, SplitTables, percent, split_groups
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric as Metric
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import SEEDS, has_folds, over_folds
from greenexp.figures import seeds_figure
from greenexp.figures.seeds import MOST_CONFIGURATIONS
from greenexp.records.scores import ALL, Scores
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import SHARED_SEEDS, counted, is_crossed, lead_assumed
from greenexp.report.table import Column, Table

NAME, TITLE = "seeds", "Seeds: variance and number"
ONE_SEED = "Each configuration was run with one seed, so we cannot tell how much of a difference is due to the seed."


def section(tables: SweepTables) -> Section:
    """The strip of scores, the split of the variance, the lead of the best, and what more seeds would tell."""
    metric, trials = metric_of(tables), tables.trials
    if trials.empty or over_folds(trials).groupby("configuration").size().max() == 1:
        return Section(NAME, TITLE, (ONE_SEED,), assumptions=("Nothing is estimated here.",))
    ranked = configuration_table(tables)
    scores = sweep_seed_scores(tables)
    splits = split_groups(scores, SeedOptions())
    group = splits.groups.get(ALL)
    lead = lead_of_best(tables)
    return Section(
        name=NAME,
        title=TITLE,
        headline=(
            *(splits.verdict or (f"The variance is not split: {_refusal(splits)}.",)),
            *((lead.sentence,) if lead is not None else ()),
            *_random_pair(group),
        ),
        plates=_strip(tables, ranked, metric),
        tables=() if group is None else _tables(group, splits),
        assumptions=_assumptions(tables, group, lead, ranked, scores),
    )


def _refusal(splits: SplitTables) -> str:
    return splits.refusals.get(ALL, "no configuration has all its seeds finished")


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
    figure = seeds_figure(frame, metric.label)
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


def _random_pair(group: GroupSplit | None) -> tuple[str, ...]:
    """How much of a difference between any two configurations is seed noise."""
    if group is None or group.split.configurations < 2:
        return ()
    noise = seed_noise(group.split)
    if math.isnan(noise.share):
        return ()
    ends = [noise.lower, noise.upper]
    bounds = [] if any(map(math.isnan, ends)) else list(dict.fromkeys(map(percent, ends)))
    between = f" (95 % interval: {' to '.join(bounds)})" if bounds else ""
    return (
        (
            f"Between two configurations drawn at random, {percent(noise.share)} of the variance of the difference of "
            f"their means is seed noise{between}."
        ),
    )


def _tables(group: GroupSplit, splits: SplitTables) -> tuple[Table, ...]:
    columns = (
        Column("source", "Source", "name"),
        Column("variance", "Variance", "number"),
        Column("standard_deviation", "Standard deviation", "score"),
        Column("deviation_lower", "From", "score"),
        Column("deviation_upper", "to", "score"),
        Column("share", "Share", "score"),
        Column("degrees_of_freedom", "Degrees of freedom", "count"),
    )
    table = group.split.table
    frame = table.assign(deviation_lower=np.sqrt(table["lower"]), deviation_upper=np.sqrt(table["upper"]))
    note = f"{group.split.design}. From, to: 95 % interval of the standard deviation, separately for each row."
    tables = [Table("variance", "Variance by source", frame, columns, note)]
    if "power" in splits.tables and group.noise.paired:
        tables.append(_more_seeds(splits.tables["power"].drop(columns=BY)))
    if group.plans is not None:
        tables.append(_plans(group.plans))
    return tuple(tables)


def _more_seeds(power: pd.DataFrame) -> Table:
    columns = (
        Column("seeds", "Seeds", "count"),
        Column("standard_error", "Standard error of a difference over seeds", "score"),
        Column("smallest_difference", "True difference found with 80 % power", "score"),
    )
    note = (
        "Of two configurations, by a paired t test over seeds (two-sided, 5 %), at the noise estimated here. It is "
        "about seeds on these dev examples; the choice of the examples is not included."
    )
    return Table("more-seeds", "Smallest difference detected on these dev examples", power, columns, note)


def _plans(plans: SeedPlans) -> Table:
    """The same number of trials, spent on fewer or more seeds."""
    columns = (
        Column("seeds", "Seeds each", "count"),
        Column("configurations", "Configurations", "count"),
        Column("expected_true", "Expected true mean of the chosen one", "score"),
        Column("expected_shown", "Expected observed mean", "score"),
        Column("optimism", "Optimism due to seeds", "score"),
    )
    note = (
        f"Expectations for {plans.trials} trials, if the effects of configurations and seeds are normal with the "
        "standard deviations estimated here. Optimism due to seeds: observed mean minus true mean of the chosen "
        "configuration; optimism due to the choice of dev examples is not included."
    )
    return Table("seed-plans", "The same number of trials with fewer or more seeds each", plans.plans, columns, note)


def _assumptions(
    tables: SweepTables, group: GroupSplit | None, lead: Lead | None, ranked: pd.DataFrame, scores: Scores
) -> tuple[str, ...]:
    used, planned = scores.frame["configuration"].nunique(), len(ranked)
    notes = [f"{used} of {planned} configurations have all their seeds finished; the variance is split over those."]
    stopped = int(ranked["state"].isin(["stopped", "stopped apart"]).sum())
    if stopped and used:
        notes.append(
            f"{counted(stopped, 'configuration')} stopped early left out: those that remain were selected for being "
            "good, and are more alike than the search space."
        )
    if group is not None:
        notes.append(
            "Random effects with one variance each, and normal for the intervals; variances are set from mean squares, "
            "negative estimates cut off at 0."
        )
        notes += [f"{remark[0].upper()}{remark[1:]}." for remark in group.split.remarks]
    if lead is not None:
        notes.append(lead_assumed(lead))
        notes += [f"Single examples do not enter the lead: {lead.note}."] if lead.note else []
    if is_crossed(tables.spec.seeds):
        notes.append(SHARED_SEEDS)
    if has_folds(tables.trials):
        notes.append(
            "The score of a seed is the mean over its folds, and where trials are counted here, a trial is a seed with "
            "all of them. Folds are no source of the variance: what they differ by is neither drawn at random nor "
            "independent, as their training sets overlap. The dots are single folds."
        )
    return tuple(notes)
