"""Statistics of finished and running sweeps: `SweepTables` or plain arrays in, tidy tables out.

May not enter, directly or through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic:
one file, its docstring giving formula, symbols, source and assumptions, its name exported here.
"""

from greenexp.analysis.configurations import configuration_table
from greenexp.analysis.evp import ExpectedBest, expected_best
from greenexp.analysis.evp_over_cost import ExpectedOverCost, expected_over_cost
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
from greenexp.analysis.tuning_curve import tuning_curve, tuning_curve_std

__all__ = [
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
    "configuration_table",
    "evenly",
    "exit_summary",
    "expected_best",
    "expected_over_cost",
    "held_out",
    "hypervolume",
    "incumbent",
    "metric_of",
    "operating_front",
    "paired_difference",
    "pareto_front",
    "rung_table",
    "savings",
    "tuning_curve",
    "tuning_curve_std",
]
