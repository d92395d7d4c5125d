"""A chosen trial on the test set: scores and logits, and what leaving at its exits costs there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from greenexp.model import load_model
from greenexp.records.trial import TrialSpec
from greenexp.replay.logits import read_logits
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun
from greenexp.training.held_out import evaluate_held_out


def test_stored_test_logits_carry_the_costs_of_trained_exits(
    trial: Callable[..., TrialSpec], data: TokenisedTask, tmp_path: Path
):
    one = trial(epochs=1, method={"name": "branchynet", "weights": [1, 0, 1]}, backbone={"layers": 3})
    with TrialRun(one, data, model_folder=tmp_path / "model") as run:
        next(run)
    record = evaluate_held_out(one, data, tmp_path / "model", 1, logits_folder=tmp_path)
    assert data.test is not None
    assert record.logits is not None
    stored = read_logits(tmp_path, record.logits)
    assert stored.exits.tolist() == [1, 3]
    assert stored.costs is not None
    wanted = load_model(tmp_path / "model").exit_costs(data.test.lengths, (1, 3))
    for name in ("layers", "lengths", "static_flops", "dynamic_flops"):
        assert np.array_equal(getattr(stored.costs, name), getattr(wanted, name))
