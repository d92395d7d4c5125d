"""The variance split of each group of trials, and what it says about the number of seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from greenexp.analysis.seeds.options import SeedOptions
from greenexp.analysis.seeds.planning import SeedPlans, needed_table, plan_seeds, power_table
from greenexp.analysis.seeds.seed_budget import shrunken_means
from greenexp.analysis.seeds.seed_noise import ComparisonNoise, comparison_noise, seed_noise
from greenexp.analysis.seeds.variance import CONFIGURATION, VarianceSplit, variance_split
from greenexp.records.scores import GROUP, SCORE, Scores

BY = "by"
"""The column that names the group in every table of a split."""


@dataclass(frozen=True, eq=False)
class GroupSplit:
    """One group of trials, split. plans: None where no plan is better than another."""

    trials: pd.DataFrame
    split: VarianceSplit
    noise: ComparisonNoise
    plans: SeedPlans | None


MOST_SPLIT = 50
"""Groups beyond which nobody reads a table for each."""


@dataclass(slots=True)
class SplitTables:
    """What the splits of all groups say: name of a table -> a frame per group, and sentences.

    groups: group -> its split; refusals: group -> why its variance cannot be split
    """

    frames: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    verdict: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: dict[str, GroupSplit] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """One frame per name."""
        order = ("splits", "variance", "means", "worth", "plans", "power", "needed")
        return {name: pd.concat(self.frames[name], ignore_index=True) for name in order if name in self.frames}


def split_groups(scores: Scores, options: SeedOptions) -> SplitTables:
    """The split of every group; a group that cannot be split is among `refusals`.

    Parameters
    ----------
    scores : Scores, required
        Trials with a finite score, and one or two columns of seeds.
    options : SeedOptions, required
        How to compute.

    Returns
    -------
    SplitTables
        Tables with the column `by`, which names the group, and sentences about them.

    """
    splits = SplitTables()
    groups = list(scores.frame.groupby(GROUP, sort=False))
    if len(groups) > MOST_SPLIT:
        splits.notes.append(f"the variance is split in the first {MOST_SPLIT} of {len(groups)} groups")
    for name, rows in groups[:MOST_SPLIT]:
        of = f"{name}: " if scores.by is not None else ""
        try:
            split = variance_split(rows, scores.seeds, shared_seeds=scores.shared_seeds, confidence=options.confidence)
        except ValueError as error:
            splits.refusals[str(name)] = str(error)
            continue
        noise = comparison_noise(split, scores.shared_seeds)
        plans = None
        if noise.sd > 0:
            plans = plan_seeds(split, noise, options.trials or len(rows), minimize=scores.minimize)
        group = splits.groups[str(name)] = GroupSplit(rows, split, noise, plans)
        for table, frame in _group_tables(group, scores, options).items():
            splits.frames.setdefault(table, []).append(frame.assign(**{BY: str(name)})[[BY, *frame.columns]])
        sentences = split_sentences(group, options)
        if scores.by is not None:  # of many groups, what differs most between them
            sentences = [sentences[0], *(sentences[-1:] if options.difference is not None and noise.sd > 0 else [])]
        splits.verdict += [f"{of}{sentence}" for sentence in sentences]
        splits.notes += [f"{of}{sentence}" for sentence in _notes(group)]
    return splits


def split_sentences(group: GroupSplit, options: SeedOptions) -> list[str]:
    """What the split of one group says, a sentence each."""
    split, noise = group.split, group.noise
    sentences = [shares_sentence(split)]
    if noise.sd == 0:
        return sentences
    if noise.paired:
        sentences.append(
            f"After pairing by seed, a standard deviation of {noise.sd:.4g} per trial is left; the rest of the seeds' "
            "effect is the same in all configurations."
        )
    if group.plans is not None:
        sentences.append(_plan_sentence(group.plans))
    power = power_table(split, noise, options).set_index("seeds")
    seeds = max(2, round(split.seeds))
    sentences.append(
        f"With {seeds} seeds each, a true difference of {power['smallest_difference'][seeds]:.4g} is found with "
        f"{100 * options.power:g} % power ({power['test'][seeds]} test at the level {options.alpha:g})."
    )
    if options.difference is not None:
        sentences.append(_needed_sentence(noise, options.difference, options))
    return sentences


def shares_sentence(split: VarianceSplit) -> str:
    """How much of the variance of a trial's score is between configurations, and how much is due to the seeds."""
    total = float(split.table["variance"].sum())
    if total == 0:
        return "All scores are equal, so there is no variance to be split."
    of_seeds = f"standard deviation of one trial's score over seeds {math.sqrt(split.of_one_trial):.4g}"
    if split.configurations == 1:
        return f"There is one configuration: {of_seeds}."
    own = split.variance(CONFIGURATION)
    return (
        f"Between configurations lies {percent(own / total)} of the variance of a trial's score (standard deviation "
        f"{math.sqrt(own):.4g}); {percent(split.of_one_trial / total)} is due to the seeds ({of_seeds})."
    )


def percent(share: float) -> str:
    """`43 %`, in whole per cent."""
    return "less than 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _plan_sentence(plans: SeedPlans) -> str:
    row = plans.plans.set_index("seeds").loc[plans.best]
    ends = ""
    if not math.isnan(plans.least) and plans.least < plans.most:
        ends = f"; at the ends of the noise's interval, {plans.least:.0f} and {plans.most:.0f} seeds each"
    seeds = f"{plans.best} seed{'s' * (plans.best > 1)}"
    return (
        f"To find the best configuration with {plans.trials} trials, train {row['configurations']:.0f} configurations "
        f"with {seeds} each{ends}."
    )


def _needed_sentence(noise: ComparisonNoise, difference: float, options: SeedOptions) -> str:
    row = needed_table(noise, difference, options).iloc[0]
    if math.isnan(row["seeds_needed"]):
        return f"A true difference of {difference:g} takes more than a million seeds each."
    ends = ""
    if not math.isnan(row["if_noise_is_most"]):
        least = 2 if math.isnan(row["if_noise_is_least"]) else row["if_noise_is_least"]
        ends = f" ({least:.0f} to {row['if_noise_is_most']:.0f} at the ends of the noise's interval)"
    return (
        f"A true difference of {difference:g} takes {row['seeds_needed']:.0f} seeds each to be found with "
        f"{100 * options.power:g} % power{ends}."
    )


def _group_tables(group: GroupSplit, scores: Scores, options: SeedOptions) -> dict[str, pd.DataFrame]:
    """The tables of one group, without its name."""
    split, noise = group.split, group.noise
    tables = {"splits": _summary(split, noise), "variance": split.table}
    if noise.sd == 0:
        return tables
    if split.configurations > 1:
        tables["means"] = _means(group, minimize=scores.minimize)
    tables["power"] = power_table(split, noise, options)
    if group.plans is not None:
        tables |= {"plans": group.plans.plans, "worth": group.plans.summary}
    if options.difference is not None:
        tables["needed"] = needed_table(noise, options.difference, options)
    return tables


def _summary(split: VarianceSplit, noise: ComparisonNoise) -> pd.DataFrame:
    """One row. The interval is of the noise that a comparison meets: after pairing where the seeds are shared."""
    row = {
        "configurations": split.configurations,
        "seeds": split.seeds,
        "mean": split.mean,
        "sd_configurations": math.sqrt(split.variance(CONFIGURATION)) if split.configurations > 1 else math.nan,
        "sd_over_seeds": math.sqrt(split.of_one_trial),
        "sd_after_pairing": noise.sd if noise.paired else math.nan,
        "noise_lower": noise.lower,
        "noise_upper": noise.upper,
        "share_lower": split.share[0],
        "share_upper": split.share[1],
        "design": split.design,
    }
    return pd.DataFrame([row])


def _means(group: GroupSplit, *, minimize: bool) -> pd.DataFrame:
    """Each configuration's mean, best first, and what it is worth once the luck of its seeds is taken off."""
    noise = seed_noise(group.split).of_a_mean ** 2 if group.noise.paired else None
    frame = shrunken_means(group.trials, group.split, minimize, SCORE, noise)
    optimism = frame["mean"] - frame["expected_true"]
    return frame.assign(optimism_due_to_seeds=-optimism if minimize else optimism)


def _notes(group: GroupSplit) -> list[str]:
    notes = [
        f"{remark}; what is said about the number of seeds holds only on average too" for remark in group.split.remarks
    ]
    if group.noise.sd == 0:
        notes.append("scores do not vary over seeds, so nothing follows for the number of seeds")
    elif group.plans is None and group.split.configurations > 1:
        notes.append(
            "by the estimate all variance is due to the seeds: configurations do not differ, so no plan finds a better "
            "one"
        )
    return notes
