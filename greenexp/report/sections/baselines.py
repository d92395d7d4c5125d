"""Sentences that set the chosen policy on test beside its baselines, and warn of models that answer one class."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.exits.policy_on_test import PolicyOnTest, policy_on_test
from greenexp.analysis.numbers.intervals import CONFIDENCE
from greenexp.analysis.sweeps.baselines import majority_score, one_class_trials, tied_at_majority
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.answers import ExampleAnswers
from greenexp.records.tables import SweepTables
from greenexp.report.sections.wording import listed, over_seeds


def sentences_on_test(tables: SweepTables) -> list[str]:
    """The policy chosen on dev, on test: score, speed-up, share of the last exit's score, intervals, majority class."""
    found = policy_on_test(tables)
    if found is None:
        return []
    metric = metric_of(tables)
    kept = "" if metric.minimize or math.isnan(found.kept) else f", {100 * found.kept:.1f} % kept"
    majority = _majority([tables.answers_on_test[trial] for trial in tables.answers_on_test][:1], metric.name)
    constant = "" if math.isnan(majority) else f" Always answering the most frequent class of test has {majority:.4f}."
    return [
        (
            f"{found.policy} at {found.speed_up:.2f}×: test {metric.name} {found.score:.4f} vs {found.last_exit:.4f} "
            f"for the last exit{kept}{_intervals(found, tables)}.{constant}"
        )
    ]


def no_better_than_a_constant(tables: SweepTables, configurations: pd.DataFrame) -> list[str]:
    """Warnings of models that answer one class, and of best configurations that do no better than that."""
    metric = metric_of(tables)
    said = []
    one_class = one_class_trials(tables.answers)
    if one_class:
        said.append(
            f"Warning: the last exit of {len(one_class)} of {len(tables.answers)} trials gives every dev example the "
            f"same answer: {listed(one_class)}."
        )
    on_test = one_class_trials(tables.answers_on_test)
    if on_test:
        said.append(f"Warning: the last exit gives every test example the same answer: {listed(on_test)}.")
    count = tied_at_majority(tables, configurations)
    if count:
        majority = _majority(list(tables.answers.values())[:1], metric.name)
        best = "the best configuration has" if count == 1 else f"the best {count} configurations have"
        order = "" if count == 1 else "; their order says nothing"
        said.append(
            f"Warning: {best} the dev {metric.name} of always answering the most frequent class, {majority:.4f}{order}."
        )
    return said


def _majority(answers: list[ExampleAnswers], metric: str) -> float:
    return majority_score(answers[0], metric) if answers else math.nan


def _intervals(found: PolicyOnTest, tables: SweepTables) -> str:
    """What each interval leaves out is in its name: seeds are fixed in the one, examples in the other."""
    examples, trials = found.over_examples, found.over_trials
    parts = []
    if not math.isnan(examples[0]):
        parts.append(f"{examples[0]:.4f} to {examples[1]:.4f} over {found.examples:,} test examples")
    if not math.isnan(trials[0]):
        parts.append(f"{trials[0]:.4f} to {trials[1]:.4f} over {over_seeds(found.trials, tables.spec.seeds)}")
    return f" ({100 * CONFIDENCE:g} % intervals: {'; '.join(parts)})" if parts else ""
