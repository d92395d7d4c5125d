"""Plain data that every room may see: trials, epochs, budget axes, tables.

pandas at most; no torch, no Ray, no MLflow. To add a field: add it here, then to the journal's round trip test. Import
from the submodules (`greenexp.records.trial`, `.epoch`, `.axes`, `.decision`, `.tables`). The entry points of replay
can be had from here too, where they stood in earlier versions; they are loaded when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_OF_REPLAY = ("ExitCosts", "ExitRecord", "budgeted_thresholds", "exits_taken", "operating_points")


def __getattr__(name: str) -> Any:
    """An entry point of `greenexp.replay`."""
    if name not in _OF_REPLAY:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("greenexp.replay"), name)
