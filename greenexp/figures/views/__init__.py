"""The views of `analysis.views`, drawn: the findings of a study in, its figures out, the main one first.

One file per study, with one function `<view>_figures(findings)` that returns no figure where the study refused. Every
mark has a tooltip, whose columns are in the figure's table too: what hover shows can be had without a pointer.
"""

from greenexp.figures.views.learning_curves import learning_curve_figures
from greenexp.figures.views.over_seeds import configuration_figures
from greenexp.figures.views.timeline import timeline_figures

__all__ = [
    "configuration_figures",
    "learning_curve_figures",
    "timeline_figures",
]
