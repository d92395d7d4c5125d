"""ECE and reliability tables against counting by hand, and the calibration of whole records."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from greenexp.errors import InputError
from greenexp.replay import ExitCosts, ExitRecord, operating_points
from greenexp.replay.calibration import (
    T_MIN,
    calibration_table,
    ece,
    fit_temperature,
    reliability_tables,
    temperatures,
)
from greenexp.replay.calibration.labelled import labelled
from greenexp.replay.calibration.reliability import binned


def made_record(seed: int, exits: Any = (2, 4, 6), examples: int = 200, classes: int = 3) -> ExitRecord:
    """Later exits are better, and more over-confident."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(len(exits), examples, classes))
    for place in range(len(exits)):
        logits[place, np.arange(examples), labels] += 0.5 + 0.5 * place
        logits[place] *= 2 + place
    return ExitRecord(logits, labels, np.full(examples, 7), np.array(exits))


def reliability_table(logits: Any, labels: Any, temperature: float = 1.0, bins: int = 15) -> pd.DataFrame:
    return binned(labelled(logits, labels), temperature, bins).table()


def ece_by_hand(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Bin by bin with the two comparisons of the official code."""
    edges = np.linspace(0, 1, bins + 1)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 30))
def test_ece_is_what_counting_bin_by_bin_gives(seed: int, classes: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.4), size=40)
    labels = rng.integers(0, classes, 40)
    assert ece(probabilities, labels, bins) == pytest.approx(ece_by_hand(probabilities, labels, bins), abs=1e-14)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    """Confidences 0.5, 0.75 and 1 are upper edges of four bins."""
    logits = np.log([[0.5, 0.5], [0.75, 0.25], [0.75, 0.25], [0.75001, 0.24999], [1.0, 1e-300]])
    table = reliability_table(logits, [0, 0, 1, 1, 0], bins=4)
    assert table.columns.tolist() == ["bin", "low", "high", "examples", "confidence", "accuracy"]
    assert table["bin"].tolist() == [1, 2, 3, 4]
    assert table["examples"].tolist() == [0, 1, 2, 2]
    assert table["low"].tolist() == [0, 0.25, 0.5, 0.75]
    assert table["high"].tolist() == [0.25, 0.5, 0.75, 1]
    assert table["accuracy"].tolist() == pytest.approx([np.nan, 1, 0.5, 0.5], nan_ok=True)
    assert table["confidence"].tolist() == pytest.approx([np.nan, 0.5, 0.75, 0.875005], nan_ok=True)


def test_a_temperature_moves_confidence_and_no_accuracy() -> None:
    record = made_record(1)
    cold, hot = (reliability_table(record.logits[2], record.labels, temperature) for temperature in (0.5, 50.0))
    for table in (cold, hot):
        assert table["examples"].sum() == 200
    right = [(table["accuracy"] * table["examples"]).sum() for table in (cold, hot)]
    assert right[0] == pytest.approx(right[1])
    assert hot["examples"].iloc[:7].sum() == 200
    assert cold["examples"].iloc[-1] > 150


def test_ece_without_examples_is_unknown_and_logits_are_refused() -> None:
    assert np.isnan(ece(np.empty((0, 2)), []))
    assert np.isnan(ece([[np.nan, 1.0]], [0]))
    assert ece([[np.nan, 1.0], [0.0, 1.0]], [0, 1]) == 0
    for rows in ([[0.2, 0.2]], [[-1.0, 2.0]], [[1.0, 1.0]]):
        with pytest.raises(InputError, match="probabilities"):
            ece(rows, [0])
    with pytest.raises(InputError, match="bins"):
        ece([[0.5, 0.5]], [0], bins=0)
    for temperature in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="temperature"):
            reliability_table([[0.0, 1.0]], [0], temperature)


def test_the_table_fits_on_dev_and_applies_to_test() -> None:
    dev, test = made_record(1), made_record(2, examples=90)
    table = calibration_table(dev, test)
    assert table[["exit", "split"]].to_numpy().tolist() == [[e, s] for e in (2, 4, 6) for s in ("dev", "test")]
    for row in table.itertuples():
        record, place = (dev, test)[row.split == "test"], (2, 4, 6).index(row.exit)
        fitted = fit_temperature(dev.logits[place], dev.labels)
        assert row.temperature == fitted.value
        assert row.examples == len(record.labels)
        assert row.remark == ""
        for moment, temperature in (("before", 1.0), ("after", fitted.value)):
            probabilities = softmax(record.logits[place].astype(float) / temperature, axis=1)
            told = -np.log(probabilities[np.arange(len(record.labels)), record.labels]).mean()
            assert getattr(row, f"nll_{moment}") == pytest.approx(told, rel=1e-12)
            assert getattr(row, f"ece_{moment}") == pytest.approx(ece(probabilities, record.labels), rel=1e-9)
    assert (table["nll_after"] < table["nll_before"]).all()
    assert temperatures(dev) == dict(zip((2, 4, 6), table["temperature"][::2], strict=True))
    assert calibration_table(dev).equals(table[table["split"] == "dev"].reset_index(drop=True))


def test_reliability_before_and_after_for_every_exit_and_split() -> None:
    dev, test = made_record(1), made_record(2, examples=90)
    table, fitted = reliability_tables(dev, test, bins=5), temperatures(dev)
    assert len(table) == 3 * 2 * 2 * 5
    for (exit_, split, calibrated), rows in table.groupby(["exit", "split", "calibrated"]):
        record = dev if split == "dev" else test
        logits = record.logits[(2, 4, 6).index(exit_)]
        wanted = reliability_table(logits, record.labels, fitted[exit_] if calibrated else 1.0, bins=5)
        assert rows[wanted.columns].reset_index(drop=True).equals(wanted)


def test_remarks_tell_of_bounds_and_of_each_splits_own_broken_examples() -> None:
    dev, test = made_record(1), made_record(2, examples=90)
    perfect = 9 * np.eye(3, dtype=np.float32)
    dev.logits[0], test.logits[0] = perfect[dev.labels], perfect[test.labels]
    dev.logits[0, 5, 1] = np.nan
    dev.logits[1] = np.nan
    table = calibration_table(dev, test).set_index(["exit", "split"])
    assert temperatures(dev).keys() == {2, 6}
    assert temperatures(dev)[2] == T_MIN
    assert "1 of 200 examples" in table.loc[(2, "dev"), "remark"]
    assert " of 200 examples" not in table.loc[(2, "test"), "remark"]
    lost = table.loc[(4, "test")]
    assert np.isnan([lost["temperature"], lost["nll_after"], lost["ece_after"]]).all()
    assert np.isfinite([lost["nll_before"], lost["ece_before"]]).all()
    assert lost["remark"]
    assert table.loc[(4, "dev"), "examples"] == 0
    shown = reliability_tables(dev, test).groupby(["exit", "split"])["calibrated"].agg(set)
    assert shown[4, "test"] == {False}
    assert shown[2, "test"] == {False, True}


def test_a_calibrated_record_predicts_the_same_and_is_calibrated() -> None:
    record = made_record(1)
    fitted = temperatures(record)
    calibrated = record.calibrated(fitted)
    assert np.array_equal(calibrated.predictions(), record.predictions())
    assert temperatures(calibrated) == pytest.approx(dict.fromkeys(fitted, 1.0), rel=1e-5)
    before, after = calibration_table(record), calibration_table(calibrated)
    assert after["nll_before"].to_numpy() == pytest.approx(before["nll_after"].to_numpy(), rel=1e-6)


def test_after_calibration_the_scale_of_an_exit_no_longer_decides_who_leaves() -> None:
    """One threshold means the same at every exit: what each exit's logits are multiplied by does not matter."""
    record = made_record(1)
    factors = np.array([0.2, 5.0, 1.0])
    scaled = ExitRecord(record.logits * factors[:, None, None], record.labels, record.lengths, record.exits)
    flops = [[10], [20], [30]]
    costs = ExitCosts([2, 4, 6], [7], flops, flops)

    def curve(each: ExitRecord) -> np.ndarray:
        points = operating_points(each, "max_probability", costs)
        return np.interp(np.linspace(0.4, 1, 50), points["threshold"], points["mean_layers"])

    difference = curve(record) - curve(scaled)
    assert np.abs(difference).max() > 0.5
    difference = curve(record.calibrated(temperatures(record))) - curve(scaled.calibrated(temperatures(scaled)))
    assert np.abs(difference).max() < 0.05


def test_records_that_cannot_be_calibrated_are_refused() -> None:
    dev = made_record(1)
    with pytest.raises(InputError, match="exits and classes"):
        calibration_table(dev, made_record(2, exits=(1, 4, 6)))
    with pytest.raises(InputError, match="exits and classes"):
        reliability_tables(dev, made_record(2, classes=2))
    with pytest.raises(InputError, match="two classes"):
        temperatures(ExitRecord(np.zeros((2, 3, 1)), [0.1, 0.2, 0.3], [1, 1, 1]))
