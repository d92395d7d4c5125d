"""Statistics of finished and running sweeps: `SweepTables` or plain arrays in, tidy tables out.

May not enter, directly or through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic:
one file, its docstring giving formula, symbols, source and assumptions, its name exported here.
"""

from greenexp.analysis.configurations import configuration_table
from greenexp.analysis.evp import ExpectedBest, expected_best
from greenexp.analysis.incumbent import incumbent
from greenexp.analysis.metric import Metric, metric_of
from greenexp.analysis.operating_points import cheapest_within, exit_summary, operating_front
from greenexp.analysis.pareto import hypervolume, pareto_front
from greenexp.analysis.savings import Savings, rung_table, savings
from greenexp.analysis.tuning_curve import tuning_curve, tuning_curve_std

__all__ = [
    "ExpectedBest",
    "Metric",
    "Savings",
    "cheapest_within",
    "configuration_table",
    "exit_summary",
    "expected_best",
    "hypervolume",
    "incumbent",
    "metric_of",
    "operating_front",
    "pareto_front",
    "rung_table",
    "savings",
    "tuning_curve",
    "tuning_curve_std",
]
