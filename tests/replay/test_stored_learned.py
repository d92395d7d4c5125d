"""What the learning-to-exit module said, beside the stored logits: there and back, and into every replayed table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from priced_records import drawn_record, made_costs

from greenexp.errors import InputError
from greenexp.replay import operating_points
from greenexp.replay.exit_tables import exit_tables
from greenexp.replay.logits import StoredLogits, read_logits, write_logits
from greenexp.replay.policy_points import policy_points
from greenexp.replay.standing import StandingLogits


def stored(*, learned: bool = True, seed: int = 0) -> StoredLogits:
    record = drawn_record(seed=seed, examples=40)
    said = np.random.default_rng(seed).random(record.logits.shape[:2]) if learned else None
    costs = made_costs(record)
    return StoredLogits.of(record.logits, record.labels, record.lengths, record.numbers, costs, said)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = stored()
    found = read_logits(tmp_path, write_logits(tmp_path, written))
    assert written.learned is not None
    assert found.learned is not None
    assert np.array_equal(found.learned, written.learned)
    assert found.learned.dtype == np.float32
    assert found.record.learned is not None
    assert np.array_equal(found.record.learned, written.learned)
    some = found.record.only(found.record.numbers[1:].tolist())
    assert some.learned is not None
    assert np.array_equal(some.learned, written.learned[1:])


def test_a_file_of_a_model_without_the_module_is_as_it_always_was(tmp_path: Path) -> None:
    name = write_logits(tmp_path, stored(learned=False))
    with np.load(tmp_path / f"{name}.npz") as file:
        assert [array for array in file if not array.startswith("cost_")] == ["logits", "labels", "lengths", "exits"]
    found = read_logits(tmp_path, name)
    assert (found.learned, found.record.learned) == (None, None)


def test_other_words_of_the_module_are_another_file(tmp_path: Path) -> None:
    one, other = stored(), stored(learned=False)
    assert write_logits(tmp_path, one) != write_logits(tmp_path, other)


def test_of_another_shape_it_is_refused_when_replayed() -> None:
    record = drawn_record(examples=20)
    wrong = StoredLogits.of(record.logits, record.labels, record.lengths, record.numbers, None, np.zeros((1, 20)))
    with pytest.raises(InputError, match="learned of shape"):
        _ = wrong.record


def test_the_points_of_learned_are_those_of_its_record() -> None:
    one = stored()
    assert one.costs is not None
    found = policy_points(one, ["learned", "learned:comparator=<="], "accuracy")
    assert found.remarks == ()
    assert set(found.points["policy"]) == {"learned", "learned:comparator=<="}
    wanted = operating_points(one.record, "learned", one.costs, "accuracy")
    points = found.points[found.points["policy"] == "learned"]
    assert np.array_equal(points["threshold"], wanted["threshold"])
    assert np.array_equal(points["score"], wanted["accuracy"])
    assert len(points) > 20


def test_a_record_without_it_loses_these_points_alone() -> None:
    found = policy_points(stored(learned=False), ["learned", "max_probability"], "accuracy")
    assert set(found.points["policy"]) == {"max_probability"}
    (remark,) = found.remarks
    assert remark.startswith("policy learned: ")


def test_thresholds_on_test_and_profiles_know_it() -> None:
    tables = exit_tables(StandingLogits(stored(), stored(seed=1)), ["learned"], "accuracy")
    assert tables.remarks == ()
    replayed = {name: frame for name, frame in tables.tables.items() if "policy" in frame}
    assert len(replayed) >= 2
    for name, frame in {"points": tables.points, **replayed}.items():
        assert "learned" in set(frame["policy"]), name
