"""The early-exit engine: a trained model that answers text or token ids and stops at the exit a policy takes.

In here: what runs a model to serve it (one by one, in batches that shrink, in pools that refill), measures doing so,
and offers it to others. Not in here: training, Ray, MLflow. There is nothing to plug in: backbones, heads and policies
are plug-ins of their own rooms, and whatever follows their protocols is served. The names below are imported when they
are used, so that `inference.service` can check limits and addresses without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenexp.inference.answers import Answer, Tokens
    from greenexp.inference.engine import EarlyExitEngine
    from greenexp.inference.rebatching import Rebatcher, Statistics

__all__ = ["Answer", "EarlyExitEngine", "Rebatcher", "Statistics", "Tokens"]
_MODULES = {
    "Answer": "answers",
    "EarlyExitEngine": "engine",
    "Rebatcher": "rebatching",
    "Statistics": "rebatching",
    "Tokens": "answers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
