"""Training: one trial from its `TrialSpec` to its epoch records, and nothing around it.

`run.TrialRun` is an iterator of `EpochRecord` that can be saved, loaded and closed. It knows neither Ray nor MLflow,
and no method by name: what a method trains and what it costs, the method says. The numbers of a trial depend on its
settings, its seeds and the machine, not on what ran in the process before: every epoch begins from a state drawn from
(seeds, epoch), see `isolation.py`. There is nothing to plug in here: new ways to train live in `methods/`.
"""

from __future__ import annotations

from greenexp.training.run import TrialRun

__all__ = ["TrialRun"]
