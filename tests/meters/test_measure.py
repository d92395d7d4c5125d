"""`Meters`, opening them, the survey, and what prices make of costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from told import tells

from greenexp.meters import Meters, open_meters, opening, price_costs, survey
from greenexp.meters.energy import SHARED, EnergyWindows, MeterError
from greenexp.meters.fake import FakeSource
from greenexp.meters.memory import ResidentMemory
from greenexp.records.axes import AXES
from greenexp.records.epoch import Costs
from greenexp.records.sections import Accounting

FACTORS = Accounting(carbon_g_per_kwh=100.0, pue=1.5, price_per_gpu_h=2.0, price_per_cpu_h=0.1, price_per_kwh=0.5)


def meters(*readings_j: float, gpus: float = 0, accounting: Accounting | None = None) -> Meters:
    energy = EnergyWindows([FakeSource(readings_j)], {})
    return Meters(energy=energy, memory=ResidentMemory(), gpus=gpus, cpus=2, accounting=accounting)


def test_costs_of_two_windows() -> None:
    with meters(5, 8, 8, 10, 10, gpus=2) as opened:
        first, second = opened.read(), opened.read()
    for measured in (first, second):
        assert measured.costs.wall_s > 0
        assert measured.costs.gpu_s == pytest.approx(2 * measured.costs.wall_s)
        assert measured.costs.cpu_s is not None
        assert measured.costs.cpu_s >= 0
    assert (first.costs.energy_j, second.costs.energy_j) == (3, 2)


def test_every_cost_that_is_none_has_its_reason() -> None:
    measured = open_meters(exclusive=False).read()
    computed = {"train_flops", "eval_flops"}
    for name in Costs.__dataclass_fields__:
        is_none = getattr(measured.costs, name) is None
        assert is_none == (name in measured.not_measured) or name in computed, name


def test_peak_memory_is_of_the_window(tmp_path: Path) -> None:
    opened = open_meters(exclusive=False)
    if "peak_memory_b" in opened.read().not_measured:
        pytest.skip("this system does not let a process reset its high-water mark")
    big = np.ones(16 * 2**20)  # 128 MiB
    del big
    with_big = opened.read().costs.peak_memory_b
    without = opened.read().costs.peak_memory_b
    assert with_big is not None
    assert without is not None
    assert with_big - without > 100 * 2**20


def test_memory_that_cannot_be_reset_is_none_with_reason(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("VmHWM:\t  123 kB\n")
    blocked = Meters(energy=EnergyWindows([], {}), memory=ResidentMemory(tmp_path / "absent"))
    measured = blocked.read()
    assert measured.costs.peak_memory_b is None
    assert "cannot be reset" in measured.not_measured["peak_memory_b"]
    (tmp_path / "status").write_text("nothing")
    with pytest.raises(MeterError, match="high-water mark"):
        ResidentMemory(tmp_path).peak_b()


def test_carbon_and_money() -> None:
    costs = Costs(wall_s=1800, gpu_s=3600, energy_j=7.2e6)
    priced, reasons = price_costs(costs, FACTORS, cpus=4)
    assert priced.carbon_g == pytest.approx(2 * 1.5 * 100)
    assert priced.money == pytest.approx(2.0 + 4 * 0.5 * 0.1 + 2 * 1.5 * 0.5)
    assert reasons == {}


@pytest.mark.parametrize(
    ("accounting", "carbon", "money"),
    [
        (None, "accounting.carbon_g_per_kwh", "price"),
        (Accounting(), "accounting.carbon_g_per_kwh", "price"),
        (FACTORS, "energy", "energy … price"),
        (Accounting(price_per_gpu_h=1.0), "is not stated", "GPU time … price"),
    ],
)
def test_what_cannot_be_priced_is_none_with_reason(accounting: Accounting | None, carbon: str, money: str) -> None:
    priced, reasons = price_costs(Costs(wall_s=10.0), accounting, cpus=1)
    assert (priced.carbon_g, priced.money) == (None, None)
    assert carbon in reasons["carbon_g"]
    assert tells(reasons["money"], money)


def test_a_price_of_zero_is_a_price() -> None:
    priced, reasons = price_costs(Costs(wall_s=10.0), Accounting(price_per_cpu_h=0.0), cpus=1)
    assert priced.money == 0
    assert "money" not in reasons


def fake_devices(monkeypatch: pytest.MonkeyPatch, gpu: bool = True) -> None:
    def source(gpus: object) -> FakeSource:
        if not gpu:
            raise MeterError("no NVIDIA driver")
        return FakeSource([0, 5, 5])

    monkeypatch.setattr(opening, "NvmlSource", source)
    monkeypatch.setattr(opening, "RaplSource", lambda: FakeSource([0, 7, 7], covers="cpu_package"))
    monkeypatch.setattr(opening, "CudaMemory", ResidentMemory)


@pytest.mark.parametrize(
    ("exclusive", "exclusive_gpus", "share", "energy_j"),
    [(True, None, 1.0, 12), (False, True, 1.0, 5), (False, None, 1.0, None), (True, None, 0.5, None)],
)
def test_only_devices_used_alone_are_attributed(
    monkeypatch: pytest.MonkeyPatch, exclusive: bool, exclusive_gpus: bool | None, share: float, energy_j: float | None
) -> None:
    fake_devices(monkeypatch)
    opened = open_meters(gpus=["GPU-a"], gpu_share=share, exclusive=exclusive, exclusive_gpus=exclusive_gpus)
    measured = opened.read()
    assert measured.costs.energy_j == energy_j
    assert opened.gpus == share
    if energy_j is None:
        assert SHARED in measured.not_measured["energy_j"]
    elif energy_j == 5:
        assert measured.not_measured["energy_j.cpu_package"] == SHARED


def test_the_cpu_alone_does_not_pass_for_a_trial_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_devices(monkeypatch, gpu=False)
    measured = open_meters(gpus=["GPU-a"], exclusive=True).read()
    assert measured.costs.energy_j is None
    assert "no NVIDIA driver" in measured.not_measured["energy_j"]


def test_a_trial_without_gpu_counts_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_devices(monkeypatch)
    assert open_meters(exclusive=True).read().costs.energy_j == 7


def test_survey_speaks_of_every_axis_and_agrees_with_the_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for accounting in (None, FACTORS):
        found = survey(accounting=accounting)
        assert set(found) == {*AXES, "peak_memory_b"}
        assert all(how for _, how in found.values())
        costs = open_meters(exclusive=True, accounting=accounting).read().costs
        for name in ("wall_s", "gpu_s", "cpu_s", "energy_j", "carbon_g", "money", "peak_memory_b"):
            assert found[name][0] == (getattr(costs, name) is not None), name


def test_survey_with_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_devices(monkeypatch)
    found = survey(gpus=["GPU-a"], accounting=FACTORS)
    assert found["energy_j"] == (True, "counters of gpu, cpu_package")
    assert found["carbon_g"][0]
    assert found["money"] == (True, "stated prices of GPU time, CPU time, energy")
    shared = survey(gpus=["GPU-a"], exclusive=False, accounting=FACTORS)
    assert shared["money"][0]
    assert tells(shared["energy_j"][1], "divided among the trials")


def test_survey_needs_no_torch() -> None:
    code = "import sys; from greenexp.meters import survey; survey(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
