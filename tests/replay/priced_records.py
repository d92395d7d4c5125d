"""Records for what settings are worth: of either kind, with a learned module's word, and with measured latency."""

from __future__ import annotations

import dataclasses

import made_records
import numpy as np

from greenexp.replay import ExitCosts, ExitRecord


def made_costs(record: ExitRecord, latency: bool = False) -> ExitCosts:
    """Prices without a pattern that could hide a mistake."""
    costs = made_records.made_costs(record)
    steps = np.random.default_rng(7).uniform(1e-3, 1e-1, costs.static_flops.shape)
    return dataclasses.replace(costs, latency_s=np.cumsum(steps, axis=0)) if latency else costs


def drawn_record(exits: int = 6, examples: int = 200, classes: int = 3, seed: int = 0) -> ExitRecord:
    """Exits that get better and surer; one class is regression."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples) if classes > 1 else rng.normal(size=examples)
    logits = rng.normal(size=(exits, examples, classes)) * np.linspace(0.5, 3, exits)[:, None, None]
    if classes > 1:
        logits[:, np.arange(examples), labels] += 1
    else:
        logits[:, :, 0] += labels
    return ExitRecord(logits, labels, rng.integers(1, 9, examples), None, rng.random((exits, examples)))
