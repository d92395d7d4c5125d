"""The early-exit engine: a trained model that answers text or token ids and stops at the exit a policy takes.

In here: what runs a model to serve it (one by one, in batches that shrink, in pools that refill), measures doing so,
and offers it to others. Not in here: training, Ray, MLflow. There is nothing to plug in: backbones, heads and policies
are plug-ins of their own rooms, and whatever follows their protocols is served.
"""

from greenexp.inference.answers import Answer, Tokens
from greenexp.inference.engine import EarlyExitEngine
from greenexp.inference.rebatching import Rebatcher, Statistics

__all__ = ["Answer", "EarlyExitEngine", "Rebatcher", "Statistics", "Tokens"]
