"""Tidy table -> Vega-Lite dict + one-sentence text alternative, one figure per file; `render` turns it into SVG.

May not enter: torch, Ray, MLflow, statistics (they live in `analysis`), a colour or a size that is not in `style`. To
add a figure: one file with one function that returns a `Figure`, its name exported here. Everything drawn is in the
figure's table.
"""

from greenexp.figures.banded_curve import banded_curve_figure
from greenexp.figures.best_so_far import best_so_far_figure
from greenexp.figures.compared_groups import compared_groups_figures, difference_figure
from greenexp.figures.comparison import Channel, comparison_figure
from greenexp.figures.confusion import confusion_figure
from greenexp.figures.exit_profiles import exit_profiles_figure
from greenexp.figures.exits import exits_figure
from greenexp.figures.expected_best import expected_best_figure
from greenexp.figures.expected_over_cost import expected_over_cost_figure
from greenexp.figures.extrapolated import extrapolated_figure
from greenexp.figures.figure import Figure
from greenexp.figures.fronts import attainment_figure, front_over_trials_figure
from greenexp.figures.importance import importance_figure
from greenexp.figures.incumbent import incumbent_figure
from greenexp.figures.objectives import objectives_figure
from greenexp.figures.operating_points import operating_points_figure
from greenexp.figures.overthinking import overthinking_figure
from greenexp.figures.policy_curves import policy_curves_figure
from greenexp.figures.reliability import reliability_figure
from greenexp.figures.rungs import rungs_figure
from greenexp.figures.seeds import seeds_figure
from greenexp.figures.simulated import simulated_figure
from greenexp.figures.tuning_curves import tuning_curve_figures

__all__ = [
    "Channel",
    "Figure",
    "attainment_figure",
    "banded_curve_figure",
    "best_so_far_figure",
    "compared_groups_figures",
    "comparison_figure",
    "confusion_figure",
    "difference_figure",
    "exit_profiles_figure",
    "exits_figure",
    "expected_best_figure",
    "expected_over_cost_figure",
    "extrapolated_figure",
    "front_over_trials_figure",
    "importance_figure",
    "incumbent_figure",
    "objectives_figure",
    "operating_points_figure",
    "overthinking_figure",
    "policy_curves_figure",
    "reliability_figure",
    "rungs_figure",
    "seeds_figure",
    "simulated_figure",
    "tuning_curve_figures",
]
