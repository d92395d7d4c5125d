"""The score that always answering the most frequent class has, and models and sweeps that are no better than it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from greenexp.analysis.numbers.rounding import difference
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.answers import ExampleAnswers
from greenexp.records.tables import SweepTables
from greenexp.replay.resampling import LOSS, can_be_resampled, resampled_scores


def majority_score(answers: ExampleAnswers, metric: str) -> float:
    """The metric of a model that gives every example the most frequent label of these; NaN if there is no such model.

    NaN for a regression, for a loss, which needs probabilities, and for metrics of others. Of labels that are equally
    frequent the smallest.
    """
    if answers.is_regression or metric == LOSS or not can_be_resampled(metric, answers) or not answers.examples:
        return math.nan
    classes, counts = np.unique(answers.labels, return_counts=True)
    said = np.full((1, answers.examples), classes[counts.argmax()], dtype=answers.labels.dtype)
    alone = ExampleAnswers(said, answers.labels, np.array([1]))
    return float(resampled_scores(metric, alone, np.ones((1, answers.examples)))[0, 0])


def one_class_trials(answers: Mapping[str, ExampleAnswers]) -> list[str]:
    """Trials whose last exit gives every example of several classes the same answer."""
    return [
        trial
        for trial, each in answers.items()
        if not each.is_regression and len(np.unique(each.labels)) > 1 and len(np.unique(each.answers[-1])) == 1
    ]


def tied_at_majority(tables: SweepTables, configurations: pd.DataFrame) -> int:
    """How many configurations share the best mean score, if it is that of the most frequent class; else 0.

    configurations: of `configuration_table`, the best first
    """
    metric = metric_of(tables)
    means = configurations["score_mean"].dropna().to_numpy(dtype=np.float64)
    baseline = next((majority_score(each, metric.name) for each in tables.answers.values()), math.nan)
    if not means.size or math.isnan(baseline) or difference(means[0], baseline) != 0:
        return 0
    return int((difference(means, means[0]) == 0).sum())
