"""What a policy whose thresholds were chosen on dev keeps of the last exit's score on test: the headline of a paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.exits.leaving import ranked_policies
from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.numbers.intervals import mean_interval, wilson_interval
from greenexp.analysis.numbers.rounding import COST_ROUNDING
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.tables import TEST, SweepTables

ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True)
class PolicyOnTest:
    """A policy on test, beside the last exit used alone by the same trials; scores are means over the trials.

    configuration: the chosen one; target: the mean speed-up asked for on dev; speed_up: on test
    trials: how many; examples: size of test
    over_examples: of `score`, a Wilson interval where it is an accuracy; over_trials: a t interval over the trials; NaN
        where there is none
    """

    configuration: str
    policy: str
    target: float
    speed_up: float
    score: float
    last_exit: float
    trials: int
    examples: int
    over_examples: tuple[float, float]
    over_trials: tuple[float, float]

    @property
    def kept(self) -> float:
        """The share of the last exit's score that is kept; NaN where that score is not above 0."""
        return self.score / self.last_exit if self.last_exit > 0 else math.nan


def policy_on_test(tables: SweepTables) -> PolicyOnTest | None:
    """The policy that is best on dev, on test; None without test logits, or if none leaves early.

    Best at the speed-up at which policies are ranked, with thresholds for the largest target within it. The policy, its
    thresholds, the epochs and the configuration were all chosen on dev.
    """
    metric, chosen = metric_of(tables), chosen_trials(tables)
    reached, ranked = ranked_policies(chosen.rows(tables.operating_points), minimize=metric.minimize)
    rows = chosen.rows(tables.thresholds_on_test).dropna(subset=["test_score"])
    rows = rows[(rows["target"] <= reached * (1 + COST_ROUNDING)) & ~is_bound(rows["policy"])]
    rows = rows[rows["target"] == rows["target"].max()]
    last = _last_exit(tables, metric.name)
    for policy in ranked["policy"]:
        own = rows[rows["policy"] == policy]
        if len(own) == len(chosen.trials) > 0 and set(own["trial"]) <= set(last.index):
            return _summary(own, last.loc[own["trial"]], chosen.configuration, metric.name)
    return None


def _summary(own: pd.DataFrame, last: pd.DataFrame, configuration: str, metric: str) -> PolicyOnTest:
    score, examples = float(own["test_score"].mean()), int(last["examples"].min())
    return PolicyOnTest(
        configuration=configuration,
        policy=str(own["policy"].iloc[0]),
        target=float(own["target"].iloc[0]),
        speed_up=float(own["test_speed_up"].mean()),
        score=score,
        last_exit=float(last["score"].mean()),
        trials=len(own),
        examples=examples,
        over_examples=wilson_interval(score, examples) if metric == ACCURACY else (math.nan, math.nan),
        over_trials=mean_interval(own["test_score"]),
    )


def _last_exit(tables: SweepTables, metric: str) -> pd.DataFrame:
    """Trial -> examples and score of its last exit used alone, in its last evaluation on test."""
    rows = tables.held_out.sort_values(["evaluation", "exit"], kind="stable").drop_duplicates("trial", keep="last")
    scores = rows.reindex(columns=["trial", "examples", TEST + metric]).rename(columns={TEST + metric: "score"})
    return scores.dropna().set_index("trial")
