"""Statistics of finished and running sweeps: `SweepTables` or plain arrays in, tidy tables out.

May not enter, directly or through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic:
one file, its docstring giving formula, symbols, source and assumptions, its name exported here.
"""

from greenexp.analysis.calibration import calibration_summary, one_threshold
from greenexp.analysis.chosen import ChosenTrials, chosen_trials
from greenexp.analysis.configurations import configuration_table
from greenexp.analysis.dev_to_test import dev_to_test
from greenexp.analysis.evp import ExpectedBest, expected_best
from greenexp.analysis.evp_over_cost import ExpectedOverCost, expected_over_cost
from greenexp.analysis.groups import GroupComparison, compare_groups
from greenexp.analysis.held_out import HeldOut, held_out
from greenexp.analysis.incumbent import incumbent
from greenexp.analysis.leaving import profile_at, ranked_policies
from greenexp.analysis.metric import Metric, metric_of
from greenexp.analysis.operating_points import (
    cheapest_reaching,
    cheapest_within,
    evenly,
    exit_summary,
    operating_front,
)
from greenexp.analysis.overthinking import Overthinking, overthinking
from greenexp.analysis.paired import PairedDifference, paired_difference
from greenexp.analysis.pareto import hypervolume, pareto_front
from greenexp.analysis.policies import family_of, is_bound, leaves_early
from greenexp.analysis.policy_curves import coinciding, policy_curves, static_points
from greenexp.analysis.savings import Savings, rung_table, savings
from greenexp.analysis.tuning_curve import tuning_curve, tuning_curve_std

__all__ = [
    "ChosenTrials",
    "ExpectedBest",
    "ExpectedOverCost",
    "GroupComparison",
    "HeldOut",
    "Metric",
    "Overthinking",
    "PairedDifference",
    "Savings",
    "calibration_summary",
    "cheapest_reaching",
    "cheapest_within",
    "chosen_trials",
    "coinciding",
    "compare_groups",
    "configuration_table",
    "dev_to_test",
    "evenly",
    "exit_summary",
    "expected_best",
    "expected_over_cost",
    "family_of",
    "held_out",
    "hypervolume",
    "incumbent",
    "is_bound",
    "leaves_early",
    "metric_of",
    "one_threshold",
    "operating_front",
    "overthinking",
    "paired_difference",
    "pareto_front",
    "policy_curves",
    "profile_at",
    "ranked_policies",
    "rung_table",
    "savings",
    "static_points",
    "tuning_curve",
    "tuning_curve_std",
]
