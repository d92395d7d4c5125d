"""Simulated schedulers whose rungs are levels of cost: by hand, and what cannot be simulated."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated import made

from greenexp.analysis.stopping.options import StoppingOptions
from greenexp.analysis.stopping.simulate import simulate
from greenexp.analysis.stopping.study import stopping_study
from greenexp.errors import InputError
from greenexp.sources.learning_curves import CurveRequest, read_curves


def points(seeds: int = 1) -> pd.DataFrame:
    """Nine configurations of nine parts, the later the better; their parts cost 1, 2 and 3 TFLOP in turn."""
    rows = [
        (f"r{place}-{seed}", f"c{place}", part, 0.05 * place + 0.01 * part, 1e12 * part * (1 + place % 3))
        for place in range(9)
        for seed in range(seeds)
        for part in range(1, 10)
    ]
    return pd.DataFrame(rows, columns=["run", "configuration", "step", "score", "train_flops"])


def test_two_configurations_are_judged_at_the_report_that_reaches_the_level() -> None:
    # c7 costs 2 TFLOP a part and c8 3: at 5 TFLOP they are judged after 3 and 2 parts, at 6 TFLOP each.
    two = points()[lambda table: table["configuration"].isin(["c7", "c8"])]
    section = {"name": "asha_promotion", "resource": "train_flops", "grace_period": 5e12, "reduction_factor": 2.0}
    found = simulate(
        read_curves(two, CurveRequest(cost="train_flops")),
        {"asha_promotion": section},
        [2],
        rng=np.random.default_rng(0),
        repeats=8,
        replace=False,
    ).searches.iloc[0]
    assert found["cost"] == pytest.approx(6e12 + 27e12)
    assert (found["finished"], found["expected_best"]) == (1, pytest.approx(0.49))


def test_at_equal_costs_levels_are_parts() -> None:
    even = points(2).assign(train_flops=lambda table: 1e12 * table["step"])
    known = read_curves(even, CurveRequest(cost="train_flops", configuration="configuration"))
    common: dict[str, Any] = {"trials": (9,), "repeats": 40, "schedulers": ("asha",)}
    on_parts = stopping_study(known, StoppingOptions(**common, rung_seeds=(2, 2), grace_period=1))["searches"]
    on_costs = stopping_study(known, StoppingOptions(**common, first_level="1 TFLOP"))["searches"]
    assert (on_costs["share_of_full"] < 1).all()
    columns = ["expected_best", "cost", "finished"]
    pd.testing.assert_frame_equal(on_costs[columns], on_parts[columns])


def test_pasha_at_equal_costs_is_pasha_at_parts() -> None:
    even = points().assign(train_flops=lambda table: 1e12 * table["step"])
    known = read_curves(even, CurveRequest(cost="train_flops"))
    common: dict[str, Any] = {"trials": (9,), "repeats": 40, "schedulers": ("pasha",), "reduction_factor": 2.0}
    for epsilon in (0.0, 0.2):
        on_parts = stopping_study(known, StoppingOptions(**common, epsilon=epsilon))["searches"]
        on_costs = stopping_study(known, StoppingOptions(**common, epsilon=epsilon, first_level="1 TFLOP"))["searches"]
        columns = ["expected_best", "cost", "finished"]
        pd.testing.assert_frame_equal(on_costs[columns], on_parts[columns])
    with pytest.raises(InputError, match="epsilon"):
        stopping_study(known, StoppingOptions(**common, first_level="1 TFLOP"))
    findings = stopping_study(known, StoppingOptions(trials=(9,), repeats=5, first_level="1 TFLOP"))
    assert any(note.startswith("pasha is left out") for note in findings.notes)


def test_pasha_compares_at_the_costs_that_units_reach() -> None:
    # Rungs at 4, 8, ... TFLOP: c7 (2 TFLOP a part) and c8 (3) come to 4 TFLOP after 2 parts each. c8, the better one,
    # goes on to 8 TFLOP, is alone there, so that the ranking is settled, and trains to its end; c7 stops at 4.
    two = points()[lambda table: table["configuration"].isin(["c7", "c8"])]
    section = {
        "name": "pasha",
        "resource": "train_flops",
        "grace_period": 4e12,
        "reduction_factor": 2.0,
        "epsilon": 0.0,
    }
    curves = read_curves(two, CurveRequest(cost="train_flops"))
    how = {"rng": np.random.default_rng(0), "repeats": 8, "replace": False}
    found = simulate(curves, {"pasha": section}, [2], **how).searches.iloc[0]
    assert (found["finished"], found["expected_best"]) == (1, pytest.approx(0.49))
    assert found["cost"] == pytest.approx(27e12 + 4e12)


def test_those_without_such_rungs_are_left_out() -> None:
    sections = StoppingOptions(first_level=2e12).sections(read_curves(points(), CurveRequest(cost="train_flops")))
    assert "fifo" in sections
    assert {"sha", "hyperband", "one_epoch", "mo_halving"}.isdisjoint(sections)
    assert sections["median"] == {"name": "median", "resource": "train_flops", "grace_period": 2e12}


@pytest.mark.parametrize(
    ("axis", "options", "said"),
    [
        ("", {"first_level": 2.0}, "no budget axis: set cost to train_flops, energy_j, wall_s"),
        ("epochs", {"first_level": 2.0}, "on epochs"),
        ("train_flops", {"first_level": "2 kWh"}, "first_level: '2 kWh' is not a quantity"),
        ("train_flops", {"first_level": 2.0, "schedulers": ("sha",)}, "rungs of sha are no costs; those of asha,"),
    ],
)
def test_what_cannot_be_simulated_is_said(axis: str, options: dict[str, Any], said: str) -> None:
    known = dataclasses.replace(made(), cost_axis=axis)
    with pytest.raises(InputError, match=said):
        stopping_study(known, StoppingOptions(**options))


def test_rungs_are_at_parts_or_at_costs() -> None:
    with pytest.raises(InputError, match="either grace_period"):
        StoppingOptions(first_level=1.0, grace_period=2)
