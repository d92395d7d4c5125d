"""Plain data that every room may see: trials, epochs, budget axes, tables, recorded logits and their replay.

numpy and pandas at most; no torch, no Ray, no MLflow. To add a field: add it here, then to the journal's round trip
test. Import from the submodules (`greenexp.records.trial`, `.epoch`, `.axes`, `.decision`, `.tables`); only the entry
points of replay have their names here too, and are loaded when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenexp.records.replay import ExitCosts, ExitRecord, budgeted_thresholds, exits_taken, operating_points

__all__ = ["ExitCosts", "ExitRecord", "budgeted_thresholds", "exits_taken", "operating_points"]


def __getattr__(name: str) -> Any:
    """The entry points of replay, which need numpy and pandas: `greenexp --help` must not wait for them."""
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("greenexp.records.replay"), name)
