"""Operating points over thresholds in the tables: from stored dev logits for trials at rest, else absent and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from greenexp.errors import StateError
from greenexp.records import ExitCosts, operating_points
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.logits import StoredLogits, read_logits, write_logits
from greenexp.records.staircase import (
    FOLDER,
    logits_at_rest,
    read_staircase,
    static_only,
    with_staircases,
)
from greenexp.records.tables import typed_frame


def stored(classes: int = 2, costs: bool = True, seed: int = 0) -> StoredLogits:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 6, 40)
    prices = ExitCosts([2, 4], [3, 4, 5], [[3, 4, 5], [6, 8, 10]], [[3, 4, 5], [7, 9, 11]]) if costs else None
    labels = rng.integers(0, max(classes, 2), 40)
    return StoredLogits.of(rng.normal(size=(2, 40, classes)), labels, lengths, [1, 3], prices)


def record(epoch: int, score: float, best: float, logits: str | None) -> EpochRecord:
    return EpochRecord(
        epoch=epoch, step=epoch, examples=8, train_loss=1.0, learning_rate=1e-3, score=score, best_score=best,
        exits=(ExitScore(1, 2, {"accuracy": score}, 4.0),), costs=Costs(1.0), dev_logits=logits,
    )  # fmt: skip


def test_costs_survive_the_file(tmp_path: Path) -> None:
    made = stored()
    found = read_logits(tmp_path, write_logits(tmp_path, made))
    assert found.costs is not None
    assert made.costs is not None
    for name in ("layers", "lengths", "static_flops", "dynamic_flops"):
        assert np.array_equal(getattr(found.costs, name), getattr(made.costs, name))
    assert found.record.numbers.tolist() == [1, 3]


def test_logits_without_costs_can_still_be_read(tmp_path: Path) -> None:
    name = write_logits(tmp_path / FOLDER, stored(costs=False))
    assert read_logits(tmp_path / FOLDER, name).costs is None
    assert read_staircase(tmp_path, name, "accuracy") is None


def test_a_file_of_another_version_is_named(tmp_path: Path) -> None:
    import hashlib

    np.savez(tmp_path / "x.npz", logits=np.zeros((1, 1, 2)))
    content = (tmp_path / "x.npz").read_bytes()
    name = hashlib.sha256(content).hexdigest()
    (tmp_path / f"{name}.npz").write_bytes(content)
    with pytest.raises(StateError, match="cannot be understood"):
        read_logits(tmp_path, name)


def test_the_staircase_is_the_replay_of_the_stored_logits(tmp_path: Path) -> None:
    made = stored()
    steps = read_staircase(tmp_path, write_logits(tmp_path / FOLDER, made), "accuracy")
    assert steps is not None
    assert made.costs is not None
    expected = operating_points(made.record, "max_probability", made.costs)
    pd.testing.assert_frame_equal(steps.rename(columns={"score": "accuracy"}), expected)
    assert steps["inference_flops"].max() == pytest.approx(np.mean([2 * n + 1 for n in made.lengths]))


@pytest.mark.parametrize("case", ["absent", "damaged", "regression", "another metric", "no hash"])
def test_where_there_is_nothing_to_replay_there_is_no_staircase(case: str, tmp_path: Path) -> None:
    name = write_logits(tmp_path / FOLDER, stored(classes=1 if case == "regression" else 2))
    if case == "damaged":
        (tmp_path / FOLDER / f"{name}.npz").write_bytes(b"no")
    wanted = {"absent": "0" * 64, "no hash": None}.get(case, name)
    assert read_staircase(tmp_path, wanted, "f1" if case == "another metric" else "accuracy") is None


def test_only_a_trial_at_rest_has_logits_that_stand() -> None:
    records = {1: record(1, 0.5, 0.5, "a"), 2: record(2, 0.7, 0.7, "b"), 3: record(3, 0.6, 0.7, None)}
    at_rest = {"finished", "stopped", "failed", "interrupted"}
    for status in ("planned", "running", "paused", *at_rest):
        assert logits_at_rest(status, records) == ("b" if status in at_rest else None)
    assert logits_at_rest("failed", {}) is None
    assert logits_at_rest("finished", {1: record(1, 0.5, 0.5, None)}) is None


def static_points() -> pd.DataFrame:
    rows = [
        {"trial": trial, "configuration": trial[:4], "epoch": epoch, "policy": "static", "threshold": 1.0, "score": 0.5,
         "inference_flops": 4.0, "mean_layers": 2.0, "speed_up": 2.0}
        for trial, epoch in (("c000-a", 3), ("c001-a", 5))
    ]  # fmt: skip
    return typed_frame("operating_points", rows)


def test_staircases_follow_the_static_points_of_their_trial() -> None:
    static = static_points()
    made = stored()
    assert made.costs is not None
    steps = operating_points(made.record, "max_probability", made.costs).rename(columns={"accuracy": "score"})
    table = with_staircases(static, {"c000-a": steps})
    assert table["policy"].tolist() == ["static", *["max_probability"] * len(steps), "static"]
    assert table.dtypes.equals(static.dtypes)
    assert set(table.loc[table["policy"] == "max_probability", "epoch"]) == {3}
    assert set(table.loc[table["policy"] == "max_probability", "configuration"]) == {"c000"}
    pd.testing.assert_frame_equal(with_staircases(static, {}), static)


def test_why_there_are_static_points_alone_is_said() -> None:
    trials = [("a", "finished"), ("b", "running"), ("c", "planned"), ("d", "failed")]
    assert static_only(trials, {"a", "b", "d"}, {"a", "b", "d"}, "accuracy") == ""
    assert static_only(trials, set(), set(), "accuracy") == ""
    told = static_only(trials, {"a", "b", "d"}, {"a"}, "accuracy")
    assert told.startswith("2 of 3 trials have static points alone: 1 still in training or paused and 1 without")
    assert static_only(trials, {"a"}, set(), "f1").endswith("the metric is f1")
