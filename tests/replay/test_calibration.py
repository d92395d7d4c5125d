"""A fitted temperature is the exact minimiser of the NLL, or a bound with a remark that says why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from greenexp.errors import InputError
from greenexp.replay.calibration import T_MAX, T_MIN, ece, fit_temperature

SEPARABLE, CHANCE, BEYOND = "no example is wrong", "no better than chance", "the best temperature is"


def nll(logits: Any, labels: Any, temperature: float) -> float:
    """By scipy, example by example."""
    scaled = np.asarray(logits, np.float64) / temperature
    return float(np.mean([-log_softmax(row)[label] for row, label in zip(scaled, labels, strict=True)]))


def slope(logits: Any, labels: Any, inverse: float) -> float:
    """Derivative of the NLL by 1 / T, from probabilities minus one-hot."""
    z = np.asarray(logits, np.float64)
    residual = softmax(inverse * z, axis=1) - np.eye(z.shape[1])[labels]
    return float((residual * (z - z.mean(axis=1, keepdims=True))).sum(axis=1).mean())


def made(seed: int, examples: int = 300, classes: int = 3, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Over-confident logits that are right more often than not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(examples, classes))
    logits[np.arange(examples), labels] += 1
    return (scale * logits).astype(np.float32), labels


def test_the_reference_optima_are_reproduced_and_beat_the_official_ones(reference: Callable[[str], Any]) -> None:
    cases = reference("temperature")["cases"]
    assert len(cases) == 3
    for case in cases:
        logits, labels = np.array(case["logits"]), np.array(case["labels"])
        fitted = fit_temperature(logits, labels)
        assert fitted.value == pytest.approx(case["exact_optimum_T"], rel=1e-12)
        assert fitted.nll_after == pytest.approx(case["exact_nll"], rel=1e-13)
        # The official code computes in float32.
        assert fitted.nll_before == pytest.approx(case["nll_before"], rel=1e-6)
        assert ece(softmax(logits, axis=1), labels) == pytest.approx(case["ece15_before"], rel=1e-6)
        for official in ("gpleiss_T", "sledgehammer_adam_T", "sledgehammer_lbfgs_T"):
            assert fitted.nll_after < nll(logits, labels, case[official])
        assert fitted.nll_after < case["gpleiss_nll_after"] - 1e-3
        assert fitted.remark == ""


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("scale", [0.2, 3.0, 30.0])
def test_it_is_where_the_derivative_vanishes(classes: int, scale: float) -> None:
    logits, labels = made(classes, classes=classes, scale=scale)
    fitted = fit_temperature(logits, labels)
    root = brentq(lambda inverse: slope(logits, labels, inverse), 1 / T_MAX, 1 / T_MIN, xtol=1e-15, rtol=1e-14)
    assert fitted.value == pytest.approx(1 / root, rel=1e-10)
    assert fitted.nll_after == pytest.approx(nll(logits, labels, 1 / root), rel=1e-12)
    assert fitted.nll_before == pytest.approx(nll(logits, labels, 1), rel=1e-12)


@given(
    st.integers(1, 6).flatmap(lambda n: arrays.arrays(np.float32, (n, 3), elements=st.floats(-50, 50, width=32))),
    st.integers(0, 2**32 - 1),
)
def test_no_other_temperature_is_better_and_predictions_stay(logits: np.ndarray, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, len(logits))
    fitted = fit_temperature(logits, labels)
    assert fitted.value is not None
    assert T_MIN <= fitted.value <= T_MAX
    assert fitted.nll_after <= fitted.nll_before
    for other in (T_MIN, 0.1, 0.5, 1.0, 2.0, 10.0, T_MAX, fitted.value * 0.99, fitted.value * 1.01):
        if T_MIN <= other <= T_MAX:
            assert fitted.nll_after <= nll(logits, labels, other) * (1 + 1e-12) + 1e-15
    # In float64: in float32 a quotient may round to a tie.
    assert np.array_equal((logits.astype(float) / fitted.value).argmax(axis=1), logits.argmax(axis=1))


@given(st.floats(0.05, 20), st.integers(0, 5))
def test_it_scales_with_the_logits(factor: float, seed: int) -> None:
    logits, labels = made(seed, examples=60)
    logits = logits.astype(np.float64)
    plain, scaled = fit_temperature(logits, labels), fit_temperature(factor * logits, labels)
    assume(not plain.remark and not scaled.remark)
    assert plain.value is not None
    assert scaled.value == pytest.approx(factor * plain.value, rel=1e-9)
    assert scaled.nll_after == pytest.approx(plain.nll_after, rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "labels", "value", "remark"),
    [
        pytest.param([[1, 0], [0, 3]], [0, 1], T_MIN, SEPARABLE, id="all right"),
        pytest.param([[1, 1, 0], [0, 3, 0]], [0, 1], T_MIN, SEPARABLE, id="right or tied"),
        pytest.param([[5, 0]], [0], T_MIN, SEPARABLE, id="one right"),
        pytest.param([[5, 0]], [1], T_MAX, CHANCE, id="one wrong"),
        pytest.param([[5, 4, -9]], [1], None, "", id="one wrong, yet far above the mean"),
        pytest.param([[2, 0], [2, 0]], [0, 1], T_MAX, CHANCE, id="exactly chance"),
        pytest.param([[2, 0], [3, 1]], [1, 1], T_MAX, CHANCE, id="all wrong"),
        pytest.param([[4, 4], [-1, -1]], [0, 1], 1.0, "no temperature", id="all equal"),
        pytest.param([[1e4, 0], [1e4, 0], [1e4, 0]], [0, 0, 1], T_MAX, f"{BEYOND} above", id="huge"),
        pytest.param([[1e-45, 0], [1e-45, 0], [1e-45, 0]], [0, 0, 1], T_MIN, f"{BEYOND} below", id="subnormal"),
        pytest.param([[3e38, -3e38], [1, 0]], [0, 1], T_MAX, f"{BEYOND} above", id="float32's largest"),
    ],
)
def test_where_there_is_no_minimum_a_bound_and_a_reason(
    logits: Any, labels: Any, value: float | None, remark: str
) -> None:
    fitted = fit_temperature(np.array(logits, np.float32), labels)
    assert fitted.value is not None
    if value is None:
        assert T_MIN < fitted.value < T_MAX
        assert fitted.remark == ""
    else:
        assert fitted.value == value
        assert remark in fitted.remark
    assert 0 <= fitted.nll_after <= fitted.nll_before


def test_two_classes_have_a_closed_form() -> None:
    """Three of four right by the same margin: p = 3 / 4, so margin / T = log 3."""
    for margin in (1.0, 90.0, 0.011):
        fitted = fit_temperature([[margin, 0], [margin, 0], [0, margin], [0, margin]], [0, 0, 1, 0])
        assert fitted.value == pytest.approx(margin / np.log(3), rel=1e-14)
        assert fitted.nll_after == pytest.approx(-(3 * np.log(3 / 4) + np.log(1 / 4)) / 4, rel=1e-14)


def test_large_logits_do_not_overflow() -> None:
    """Nine of ten right by a margin of 10, with a third class out of reach."""
    labels = [0] * 9 + [1]
    fitted = fit_temperature(np.full((10, 3), [1e4, 9990, -1e4], np.float32), labels)
    assert fitted.value == pytest.approx(10 / np.log(9), rel=1e-13)
    assert fitted.nll_before == pytest.approx(1, rel=1e-4)  # 0.1 x 10, and log(1 + exp(-10))


def test_examples_without_finite_logits_are_left_out_and_counted() -> None:
    logits, labels = made(3, examples=50)
    broken = logits.copy()
    broken[[4, 9], [0, 2]] = np.nan, np.inf
    broken[20] = -np.inf
    kept = np.isfinite(broken).all(axis=1)
    fitted, clean = fit_temperature(broken, labels), fit_temperature(logits[kept], labels[kept])
    assert (fitted.value, fitted.nll_after, fitted.examples) == (clean.value, clean.nll_after, 47)
    assert fitted.remark.startswith("3 of 50 examples")
    assert clean.remark == ""


def test_without_examples_there_is_no_temperature() -> None:
    for logits, labels in ((np.empty((0, 3)), []), ([[np.nan, 0.0]], [0])):
        fitted = fit_temperature(logits, labels)
        assert fitted.value is None
        assert fitted.examples == 0
        assert np.isnan([fitted.nll_before, fitted.nll_after]).all()
        assert "no example" in fitted.remark


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([[1.0], [2.0]], [0, 0], "two classes"),
        ([[1.0, 2.0]], [2], "from 0 to 1; 1 of 1.*2"),
        ([[1.0, 2.0], [1.0, 2.0]], [0, -1], "-1"),
        ([[1.0, 2.0]], [0.5], "received float64"),
        ([[1.0, 2.0]], [0, 1], r"received \(1, 2\) and \(2,\)"),
        ([1.0, 2.0], [0, 1], r"received \(2,\) and \(2,\)"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(logits: Any, labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_temperature(logits, labels)
