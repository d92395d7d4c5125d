"""Statistics of finished and running sweeps: `SweepTables` or plain arrays in, tidy tables out.

May not enter, directly or through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic:
one file, its docstring giving formula, symbols, source and assumptions, its name exported here.
"""

from greenexp.analysis.attainment import attainment, attainment_probability
from greenexp.analysis.bands import ConfidenceBand, confidence_band
from greenexp.analysis.better import probability_better
from greenexp.analysis.bootstrap import bootstrap_interval
from greenexp.analysis.brackets import ExpectedOverUnits, expected_best_of_brackets, expected_best_of_sweeps
from greenexp.analysis.calibration import calibration_summary, one_threshold
from greenexp.analysis.censoring import tuning_curve_bounds
from greenexp.analysis.chosen import ChosenTrials, chosen_trials
from greenexp.analysis.compare import compare_at, compare_over_cost, crossings, regions
from greenexp.analysis.configuration_names import configuration_names, method_settings
from greenexp.analysis.configurations import configuration_table
from greenexp.analysis.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.dev_to_test import dev_to_test
from greenexp.analysis.early_stopping import early_stopping_cdf
from greenexp.analysis.evp import ExpectedBest, expected_best
from greenexp.analysis.evp_over_cost import ExpectedOverCost, expected_over_cost
from greenexp.analysis.exit_means import TO_BEST, TO_END, exit_means, exit_scores, training_costs
from greenexp.analysis.expected_hypervolume import expected_hypervolume
from greenexp.analysis.extrapolate import Extrapolation, extrapolate
from greenexp.analysis.front_improvement import ParetoImprovement, pareto_improvement, score_at_equal_cost
from greenexp.analysis.groups import GroupComparison, compare_groups
from greenexp.analysis.held_out import HeldOut, held_out
from greenexp.analysis.importance import Importance, importance
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
from greenexp.analysis.over_cost import CurveOverCost, curve_over_cost
from greenexp.analysis.overthinking import Overthinking, overthinking
from greenexp.analysis.paired import PairedDifference, paired_difference
from greenexp.analysis.paired_comparisons import Noise, compare_paired, pooled_noise
from greenexp.analysis.pairwise import compare_pairwise, holm
from greenexp.analysis.pareto import hypervolume, pareto_front
from greenexp.analysis.policies import family_of, is_bound, leaves_early
from greenexp.analysis.policy_curves import coinciding, policy_curves, static_points
from greenexp.analysis.power import seeds_needed, smallest_difference, t_test_power
from greenexp.analysis.savings import Savings, rung_table, savings
from greenexp.analysis.score_distribution import distribution_table, quantile_table
from greenexp.analysis.score_tests import Difference, bonferroni, compare_scores, score_difference, score_tests
from greenexp.analysis.search_space import bounds_hit, leaders
from greenexp.analysis.seed_budget import (
    Reliability,
    expected_maximum,
    probability_of_right_choice,
    reliability_of,
    seed_mean_curve,
    seed_plans,
    shrunken_means,
)
from greenexp.analysis.simulate import Simulation, simulate
from greenexp.analysis.simulate_curves import RecordedCurves, recorded_curves, sweep_points
from greenexp.analysis.simulate_notes import simulation_notes
from greenexp.analysis.simulate_saving import full_search
from greenexp.analysis.stochastic_order import StochasticOrder, almost_stochastic_order, violation_ratio
from greenexp.analysis.target import BudgetToReach, budget_to_reach, probability_to_reach
from greenexp.analysis.tuning_curve import tuning_curve, tuning_curve_error, tuning_curve_std
from greenexp.analysis.variance import VarianceSplit, seed_scores, variance_split
from greenexp.analysis.winner import expected_test_of_winner

__all__ = [
    "TO_BEST",
    "TO_END",
    "BudgetToReach",
    "ChosenTrials",
    "ConfidenceBand",
    "CurveOverCost",
    "Difference",
    "ExpectedBest",
    "ExpectedOverCost",
    "ExpectedOverUnits",
    "Extrapolation",
    "GroupComparison",
    "HeldOut",
    "Importance",
    "Metric",
    "Noise",
    "Overthinking",
    "PairedDifference",
    "ParetoImprovement",
    "RecordedCurves",
    "Reliability",
    "Savings",
    "Simulation",
    "StochasticOrder",
    "VarianceSplit",
    "almost_stochastic_order",
    "attainment",
    "attainment_probability",
    "bonferroni",
    "bootstrap_interval",
    "bounds_hit",
    "budget_to_reach",
    "calibration_summary",
    "cheapest_reaching",
    "cheapest_within",
    "chosen_trials",
    "coinciding",
    "compare_at",
    "compare_groups",
    "compare_over_cost",
    "compare_paired",
    "compare_pairwise",
    "compare_scores",
    "confidence_band",
    "configuration_names",
    "configuration_table",
    "crossings",
    "curve_over_cost",
    "dev_to_test",
    "distribution_table",
    "early_stopping_cdf",
    "evenly",
    "exit_means",
    "exit_scores",
    "exit_summary",
    "expected_best",
    "expected_best_of_brackets",
    "expected_best_of_sweeps",
    "expected_hypervolume",
    "expected_maximum",
    "expected_over_cost",
    "expected_test_of_winner",
    "extrapolate",
    "family_of",
    "full_search",
    "held_out",
    "holm",
    "hypervolume",
    "importance",
    "incumbent",
    "is_bound",
    "leaders",
    "leaves_early",
    "method_settings",
    "metric_of",
    "one_threshold",
    "operating_front",
    "overthinking",
    "paired_difference",
    "pareto_front",
    "pareto_improvement",
    "policy_curves",
    "pooled_noise",
    "probability_better",
    "probability_of_right_choice",
    "probability_to_reach",
    "profile_at",
    "quantile_table",
    "ranked_policies",
    "recorded_curves",
    "regions",
    "reliability_of",
    "rung_table",
    "savings",
    "score_at_equal_cost",
    "score_difference",
    "score_tests",
    "seed_mean_curve",
    "seed_plans",
    "seed_scores",
    "seeds_needed",
    "shrunken_means",
    "simulate",
    "simulation_notes",
    "smallest_difference",
    "static_points",
    "sweep_points",
    "t_test_power",
    "training_costs",
    "trivial_above",
    "tuning_curve",
    "tuning_curve_band",
    "tuning_curve_bounds",
    "tuning_curve_error",
    "tuning_curve_std",
    "variance_split",
    "violation_ratio",
]
