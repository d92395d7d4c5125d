"""Statistics of sweeps and of any table of scores: plain arrays or `SweepTables` in, tidy tables out.

Sub-rooms by subject: `sweeps`, `curves`, `comparing`, `seeds`, `fronts`, `exits`, `stopping`, `search`, `elue`, `views`
(which shows what is on record, and estimates nothing), and `numbers`, which all may use. May not enter, directly or
through others: torch, Ray, MLflow; nothing here reads a file or draws. To add a statistic: one file in its sub-room,
its docstring giving formula, symbols, source and assumptions. The names below can be had from here, and are loaded when
they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenexp.analysis.comparing.better import probability_better
    from greenexp.analysis.curves.bands import confidence_band
    from greenexp.analysis.curves.tuning_curve import tuning_curve
    from greenexp.analysis.elue.score import elue_score
    from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
    from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
    from greenexp.analysis.stopping.early_stopping import early_stopping_cdf

__all__ = [
    "confidence_band",
    "early_stopping_cdf",
    "elue_score",
    "expected_hypervolume",
    "hypervolume",
    "pareto_front",
    "probability_better",
    "tuning_curve",
]

_HOMES = {
    "confidence_band": "curves.bands",
    "early_stopping_cdf": "stopping.early_stopping",
    "elue_score": "elue.score",
    "expected_hypervolume": "fronts.expected_hypervolume",
    "hypervolume": "fronts.pareto",
    "pareto_front": "fronts.pareto",
    "probability_better": "comparing.better",
    "tuning_curve": "curves.tuning_curve",
}


def __getattr__(name: str) -> Any:
    """One of the names above, from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
