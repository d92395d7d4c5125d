"""The views of `analysis.views`, drawn: the findings of a study in, its figures out, the main one first.

One file per study, with one function `<view>_figures(findings)` that returns no figure where the study refused. Marks
have tooltips whose columns are in the tables of the findings too: what hover shows can be had without a pointer. A
figure's own table is that of its main marks; what else it draws (ends, rungs, sessions, a surface) are other tables of
the findings.
"""

from greenexp.figures.views.compared_sweeps import compared_sweep_figures
from greenexp.figures.views.contours import contour_figures
from greenexp.figures.views.learning_curves import learning_curve_figures
from greenexp.figures.views.one_trial import trial_figures
from greenexp.figures.views.operating_points import operating_point_figures
from greenexp.figures.views.over_seeds import configuration_figures
from greenexp.figures.views.parallel import parallel_figures
from greenexp.figures.views.slices import slice_figures
from greenexp.figures.views.timeline import timeline_figures

__all__ = [
    "compared_sweep_figures",
    "configuration_figures",
    "contour_figures",
    "learning_curve_figures",
    "operating_point_figures",
    "parallel_figures",
    "slice_figures",
    "timeline_figures",
    "trial_figures",
]
