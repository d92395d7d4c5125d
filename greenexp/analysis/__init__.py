"""Statistics of finished and running sweeps: `SweepTables` or plain arrays in, tidy tables out.

May not enter, directly or through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic:
one file, its docstring giving formula, symbols, source and assumptions, its name exported here.
"""

from greenexp.analysis.bands import ConfidenceBand, confidence_band
from greenexp.analysis.better import probability_better
from greenexp.analysis.configurations import configuration_table
from greenexp.analysis.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.early_stopping import early_stopping_cdf
from greenexp.analysis.evp import ExpectedBest, expected_best
from greenexp.analysis.evp_over_cost import ExpectedOverCost, expected_over_cost
from greenexp.analysis.expected_hypervolume import expected_hypervolume
from greenexp.analysis.groups import GroupComparison, compare_groups
from greenexp.analysis.held_out import HeldOut, held_out
from greenexp.analysis.incumbent import incumbent
from greenexp.analysis.metric import Metric, metric_of
from greenexp.analysis.operating_points import (
    cheapest_reaching,
    cheapest_within,
    evenly,
    exit_summary,
    operating_front,
)
from greenexp.analysis.paired import PairedDifference, paired_difference
from greenexp.analysis.pareto import hypervolume, pareto_front
from greenexp.analysis.savings import Savings, rung_table, savings
from greenexp.analysis.tuning_curve import tuning_curve, tuning_curve_error, tuning_curve_std

__all__ = [
    "ConfidenceBand",
    "ExpectedBest",
    "ExpectedOverCost",
    "GroupComparison",
    "HeldOut",
    "Metric",
    "PairedDifference",
    "Savings",
    "cheapest_reaching",
    "cheapest_within",
    "compare_groups",
    "confidence_band",
    "configuration_table",
    "early_stopping_cdf",
    "evenly",
    "exit_summary",
    "expected_best",
    "expected_hypervolume",
    "expected_over_cost",
    "held_out",
    "hypervolume",
    "incumbent",
    "metric_of",
    "operating_front",
    "paired_difference",
    "pareto_front",
    "probability_better",
    "rung_table",
    "savings",
    "trivial_above",
    "tuning_curve",
    "tuning_curve_band",
    "tuning_curve_error",
    "tuning_curve_std",
]
