"""From what a calibration measured to the price: rates, start, power, and what it could not do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from told import tells

from greenexp.api.calibrating import RAY_START
from greenexp.api.planning import plan
from greenexp.errors import CalibrationError
from greenexp.plan.prices import Price
from greenexp.training.busy_workers import Calibration
from greenexp.training.calibration import SpeedLook

SMALL = {
    "task": {"name": "clauses", "train": 64, "dev": 20, "test": 20},
    "backbone": {"name": "bert", "layers": 1, "hidden": 16, "heads": 2},
    "search.samples": 2,
    "scheduler": {"name": "fifo"},
}


def look(shape: int, *, share: float = 1.0, energy_j: float | None = None) -> SpeedLook:
    """Training at 2 s per GFLOP, evaluation at 1."""
    return SpeedLook(
        shape, 2.0, 1e9, 1.0, 1e9, setup_s=0.5, report_s=0.25, cpu_s=3.0 * share, energy_j=energy_j, energy_s=3.0
    )


def priced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Any, **fields: Any) -> Price:
    """The price where the processes of a calibration answer `found`, or raise it."""

    def calibrate(trials: Any, data: Any, *_: Any) -> Calibration:
        assert len(trials) == len(data)
        if isinstance(found, Exception):
            raise found
        return Calibration(tuple(found), 4.0, 1.5, 2)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("greenexp.training.busy_workers.calibrate", calibrate)
    price = plan("smoke", set=SMALL | fields, calibrate=True).price
    assert price is not None
    return price


def test_rates_set_up_and_start_are_in_the_price(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    price = priced(monkeypatch, tmp_path, [look(0)] * 8)
    train, evaluation = price.bounds["train_flops"].most or 0.0, price.eval_flops.most or 0.0
    work = 2e-9 * train + 1e-9 * evaluation + 24 * 0.25 + 4 * 0.5 + 2 * 1.0  # 24 reports, 4 trials, 2 workers
    assert price.worker_s.expected == pytest.approx(work, rel=0.1)
    assert price.bounds["wall_s"].expected == pytest.approx(work / 2 + RAY_START * 4.0, rel=0.15)
    assert price.time_after.startswith("calibration")
    assert price.bounds["energy_j"].expected is None
    assert not any("busy" in note for note in price.notes)


def test_power_and_a_busy_machine_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    price = priced(monkeypatch, tmp_path, [look(0, share=0.5, energy_j=30.0)] * 4)
    energy, held = price.bounds["energy_j"].expected or 0.0, price.worker_s.expected or 1.0
    assert energy / held == pytest.approx(10.0, rel=0.1)
    assert any(tells(note, "50 % … busy") for note in price.notes)


def test_one_that_broke_off_leaves_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    price = priced(monkeypatch, tmp_path, CalibrationError("a process did not answer"))
    assert price.bounds["wall_s"].expected is None
    assert any("did not answer" in note for note in price.notes)


def test_compiled_trials_are_not_calibrated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    price = priced(monkeypatch, tmp_path, AssertionError("nothing is to be measured"), **{"training.compile": True})
    assert price.bounds["wall_s"].expected is None
    assert any(tells(note, "training.compile") for note in price.notes)


def test_kinds_that_were_not_measured_are_priced_after_one_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes = {"dist": "choice", "values": [16, 32]}
    price = priced(monkeypatch, tmp_path, [look(0)] * 4, **{"search.samples": 8, "space.training.batch_size": sizes})
    assert price.bounds["wall_s"].expected
    assert tells(price.time_after, "calibration … batch")
