"""An exit record's own changes: some exits alone, and logits divided by temperatures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from made_records import random_record

from greenexp.errors import InputError
from greenexp.replay import ExitRecord


def a_record() -> ExitRecord:
    record = random_record(exits=4, examples=20)
    learned = np.random.default_rng(1).random((4, 20))
    return dataclasses.replace(record, exits=np.array([1, 3, 5, 6]), learned=learned)


def test_some_exits_alone_keep_what_was_learned_there() -> None:
    record = a_record()
    some = record.only([6, 3, 9])
    assert some.numbers.tolist() == [3, 6]
    assert some.learned is not None
    assert record.learned is not None
    assert np.array_equal(some.learned, record.learned[[1, 3]])
    assert np.array_equal(some.logits, record.logits[[1, 3]])
    with pytest.raises(InputError, match=r"exits \[2\]"):
        record.only([2])


def test_calibrated_logits_are_divided_in_float32() -> None:
    record = a_record()
    calibrated = record.calibrated({1: 0.7, 5: 3, 8: 2.0})
    assert calibrated.logits.dtype == np.float32
    for place, temperature in ((0, 0.7), (2, 3.0)):
        divided = torch.from_numpy(record.logits[place]) / torch.tensor(temperature, dtype=torch.float32)
        assert np.array_equal(calibrated.logits[place], divided.numpy())
    assert np.array_equal(calibrated.logits[[1, 3]], record.logits[[1, 3]])
    assert calibrated.learned is record.learned
    assert calibrated.numbers.tolist() == [1, 3, 5, 6]
    assert record.calibrated({}).only([1]).numbers.tolist() == [1]


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), 1e-60])
def test_a_temperature_is_a_number_above_0(bad: float) -> None:
    with pytest.raises(InputError, match="temperature of exit 3"):
        a_record().calibrated({3: bad})


def test_a_regression_has_no_temperature() -> None:
    with pytest.raises(InputError, match="no temperature"):
        ExitRecord(np.zeros((2, 3, 1)), [0.1, 0.2, 0.3], [1, 1, 1]).calibrated({1: 2.0})
