"""What a speed that was measured says of the next sweep, and of trials of another kind."""

from __future__ import annotations

import dataclasses
import math

import pytest
from made_settings import made_settings

from greenexp.records.speeds import FLOOR, PRIOR_FREEDOM, Overhead, Speeds, TrialKind, TrialSpeed, busy_doubt, pooled

ALONE = (1, 1, 0.0)
SHAPE = TrialKind.of(made_settings(), ALONE)
SPEED = TrialSpeed(2.0, 1e9, source="here")


def test_one_sweep_leaves_the_floor_and_many_their_own_scatter() -> None:
    scale, freedom = pooled([0.3])
    assert (scale, freedom) == (pytest.approx(FLOOR * math.sqrt(2)), PRIOR_FREEDOM)
    scale, freedom = pooled([-0.5, 0.5] * 50)
    assert scale == pytest.approx(0.5, rel=0.02)
    assert freedom == PRIOR_FREEDOM + 99


def test_the_most_alike_kind_of_trial_stands_for_one_that_was_not_measured() -> None:
    speeds = Speeds({SHAPE: SPEED, dataclasses.replace(SHAPE, method="pabee", batch_size=8): TrialSpeed(9.0, 1e9)})
    other = speeds.of(dataclasses.replace(SHAPE, method="finetune"))
    assert other is not None
    assert (other.seconds, other.doubt > SPEED.doubt) == (2.0, True)
    assert "branchynet" in other.source
    assert speeds.of(SHAPE) == speeds.same(SHAPE) == SPEED
    assert speeds.same(dataclasses.replace(SHAPE, method="finetune")) is None


@pytest.mark.parametrize("change", [{"backbone": "{}"}, {"precision": "bf16"}, {"max_length": 64}])
def test_another_model_length_or_precision_says_nothing(change: dict[str, str | int]) -> None:
    assert Speeds({SHAPE: SPEED}).of(dataclasses.replace(SHAPE, **change)) is None  # type: ignore[arg-type]


def test_other_programs_beside_a_trial_leave_doubt() -> None:
    assert busy_doubt(0.95, ALONE) == busy_doubt(3.0, (2, 4, 0.0)) == busy_doubt(None, ALONE) == 0.0
    assert busy_doubt(0.1, (1, 1, 0.5)) == 0.0, "a trial on a GPU leaves its core idle"
    assert 0 < busy_doubt(0.5, ALONE) < busy_doubt(0.25, ALONE)


def test_what_is_on_record_goes_before_a_calibration() -> None:
    recorded = Speeds({SHAPE: SPEED}, None, ("a",))
    other = dataclasses.replace(SHAPE, max_length=64)
    both = recorded.and_then(Speeds({SHAPE: TrialSpeed(9.0, 1e9), other: SPEED}, Overhead(1.0), ("b",)))
    assert both.of(SHAPE) == SPEED
    assert both.of(other) == SPEED
    assert (both.overhead, both.notes) == (Overhead(1.0), ("a", "b"))
