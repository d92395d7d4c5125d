"""The calibration of every exit as tables: temperatures fitted on dev, and what they do there and on test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from greenexp.errors import InputError
from greenexp.replay.calibration.labelled import LabelledScores, labelled
from greenexp.replay.calibration.reliability import BINS, binned
from greenexp.replay.calibration.temperature import Temperature, fit_temperature
from greenexp.replay.record import ExitRecord

CALIBRATION = (
    *("exit", "split", "examples", "temperature", "remark"),
    *("nll_before", "nll_after", "ece_before", "ece_after"),
)
RELIABILITY = ("exit", "split", "calibrated", "bin", "low", "high", "examples", "confidence", "accuracy")


@dataclass(frozen=True, eq=False)
class _Exit:
    """One exit on one split, and the temperature it got on dev."""

    number: int
    split: str
    data: LabelledScores
    fitted: Temperature


def temperatures(record: ExitRecord) -> dict[int, float]:
    """Exit number -> temperature fitted on this record, for `ExitRecord.calibrated` and for serving.

    An exit without a single example to fit on is absent. Raises InputError for regression.
    """
    return {item.number: item.fitted.value for item in _exits(record, None) if item.fitted.value is not None}


def calibration_table(record: ExitRecord, test_record: ExitRecord | None = None) -> pd.DataFrame:
    """Columns exit split examples temperature remark nll_before nll_after ece_before ece_after, by exit.

    record: dev. The temperature of an exit is always fitted on dev, and the rows of `test_record` apply it to test.
    examples: those with finite logits, and the numbers are over them; temperature: NaN where dev had none
    remark: why the temperature is no minimum, and how many examples of the split were left out; empty if neither
    before is at T = 1, after at the temperature; NLL in nats per example, ECE with 15 bins. On dev, which fitted the
    temperature, nll_after is never above nll_before, and ece_after is optimistic: test tells. ECE may also rise, since
    it is not what was minimised, and it depends on the binning: see `ece`.
    Raises InputError for regression, and for a test record with other exits or classes.
    """
    return pd.DataFrame([_row(item) for item in _exits(record, test_record)], columns=list(CALIBRATION))


def _row(item: _Exit) -> dict[str, Any]:
    fitted, data, dev = item.fitted, item.data, item.split == "dev"
    row = {"exit": item.number, "split": item.split, "examples": data.examples, "temperature": np.nan}
    row |= {"remark": replace(fitted, left_out=data.remark).remark}
    row |= {"nll_before": data.nll(), "nll_after": np.nan, "ece_before": binned(data).ece, "ece_after": np.nan}
    if fitted.value is not None:
        after = fitted.nll_after if dev else data.nll(fitted.value)
        row |= {"temperature": fitted.value, "nll_after": after, "ece_after": binned(data, fitted.value).ece}
    return row


def reliability_tables(record: ExitRecord, test_record: ExitRecord | None = None, bins: int = BINS) -> pd.DataFrame:
    """Columns exit split calibrated bin low high examples confidence accuracy: reliability before and after.

    record, test_record: as in `calibration_table`; an exit without a temperature has no calibrated rows.
    """
    parts = []
    for item in _exits(record, test_record):
        for calibrated, value in ((False, 1.0), (True, item.fitted.value)):
            if value is not None:
                table = binned(item.data, value, bins).table()
                parts.append(table.assign(exit=item.number, split=item.split, calibrated=calibrated))
    return pd.concat(parts, ignore_index=True)[list(RELIABILITY)]


def _exits(record: ExitRecord, test: ExitRecord | None) -> Iterator[_Exit]:
    """Every exit on dev, followed by the same exit on test."""
    if test is not None and (
        test.numbers.tolist() != record.numbers.tolist() or test.logits.shape[2] != record.logits.shape[2]
    ):
        raise InputError(
            f"the test record must have the exits and classes of dev: {test.numbers.tolist()} with "
            f"{test.logits.shape[2]} classes against {record.numbers.tolist()} with {record.logits.shape[2]}"
        )
    for place, number in enumerate(record.numbers.tolist()):
        fitted = fit_temperature(record.logits[place], record.labels)
        for split, part in (("dev", record), ("test", test)):
            if part is not None:
                yield _Exit(number, split, labelled(part.logits[place], part.labels), fitted)
