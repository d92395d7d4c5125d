"""NVML with a stand-in for the driver library."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from greenexp.meters import nvml
from greenexp.meters.energy import MeterError
from greenexp.meters.nvml import NvmlSource, PowerSource, visible_gpus
from greenexp.meters.rapl import POWERCAP_VARIABLE
from greenexp.meters.sampling import NodeSampler, TrialShares, open_node
from greenexp.records.energy import EnergyMethod


class Driver:
    """GPUs 0 and 1 with counters in millijoules."""

    def __init__(self) -> None:
        self.counters = {"GPU-a": 1000, "GPU-b": 50_000}
        self.names = {"GPU-a": "H200", "GPU-b": "H200"}
        self.opened = 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    fake = Driver()

    def opened(change: int) -> None:
        fake.opened += change

    def by_uuid(uuid: str) -> str:
        if uuid not in fake.counters:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return uuid

    stand_ins = {
        "nvmlInit": lambda: opened(1),
        "nvmlShutdown": lambda: opened(-1),
        "nvmlDeviceGetCount": lambda: len(fake.counters),
        "nvmlDeviceGetHandleByIndex": lambda i: list(fake.counters)[i],
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetName": lambda handle: fake.names[handle],
        "nvmlDeviceGetTotalEnergyConsumption": lambda handle: fake.counters[handle],
    }
    for name, function in stand_ins.items():
        monkeypatch.setattr(nvml.pynvml, name, function)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    yield fake
    assert fake.opened == 0, "NVML was opened more often than closed"


def test_only_the_assigned_gpus_are_read(driver: Driver) -> None:
    source = NvmlSource(["GPU-b"])
    before = source.read_j()
    driver.counters["GPU-a"] += 7000
    driver.counters["GPU-b"] += 3000
    assert source.read_j() - before == pytest.approx(3.0)
    source.close()


def test_by_index(driver: Driver) -> None:
    source = NvmlSource(["0", "1"])
    assert source.read_j() == pytest.approx(51.0)
    source.close()


def test_indices_among_unlike_gpus_are_refused(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.names["GPU-b"] = "A100"
    with pytest.raises(MeterError, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        NvmlSource(["0"])
    NvmlSource(["GPU-a"]).close()
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    NvmlSource(["0"]).close()


@pytest.mark.parametrize(
    ("gpus", "message"),
    [([], "assigned"), (["GPU-x"], "GPU GPU-x: "), (["MIG-1"], "slice")],
)
def test_what_cannot_be_counted_is_refused(driver: Driver, gpus: list[str], message: str) -> None:
    with pytest.raises(MeterError, match=message):
        NvmlSource(gpus)


def test_a_gpu_without_counter(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: str) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(nvml.pynvml, "nvmlDeviceGetTotalEnergyConsumption", unsupported)
    with pytest.raises(MeterError, match="counter"):
        NvmlSource(["GPU-a"])


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(nvml.pynvml, "nvmlInit", absent)
    with pytest.raises(MeterError, match="no NVIDIA driver"):
        NvmlSource(["GPU-a"])
    assert visible_gpus({}) == ()


@pytest.mark.parametrize(
    ("listed", "expected"),
    [("0,1", ("0", "1")), ("GPU-b", ("GPU-b",)), ("", ()), ("-1", ()), ("1,-1,0", ("1",)), (None, ("GPU-a", "GPU-b"))],
)
def test_visible_gpus(driver: Driver, listed: str | None, expected: tuple[str, ...]) -> None:
    assert visible_gpus({} if listed is None else {"CUDA_VISIBLE_DEVICES": listed}) == expected


def fake_power(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """GPU-b has no energy counter, and tells its power."""

    def counter(handle: str) -> int:
        if handle == "GPU-b":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return driver.counters[handle]

    monkeypatch.setattr(nvml.pynvml, "nvmlDeviceGetTotalEnergyConsumption", counter)
    monkeypatch.setattr(nvml.pynvml, "nvmlDeviceGetPowerUsage", lambda handle: 120_000)


def test_power_is_integrated_where_there_is_no_counter(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_power(driver, monkeypatch)
    now = iter([0.0, 0.5, 1.5])
    source = PowerSource("GPU-b", clock=lambda: next(now))
    assert source.read_j() == pytest.approx(60.0)
    assert source.read_j() == pytest.approx(180.0)
    source.close()


def test_a_node_has_each_gpu_by_one_counter(driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_power(driver, monkeypatch)
    monkeypatch.setenv(POWERCAP_VARIABLE, str(tmp_path))
    devices, missing = open_node()
    assert {device.name: device.counter for device in devices} == {
        "GPU-a": "NVML energy counter", "GPU-b": "NVML power, integrated",
    }  # fmt: skip
    assert [device.moves_in_steps for device in devices] == [True, False]
    assert set(missing) == {"cpu_package"}
    sampler = NodeSampler(devices, missing)
    by_index = sampler.enter(TrialShares("t", 1, ("0",)))
    assert set(sampler.take(by_index.number).energy_uj) == {"GPU-a"}
    assert set(by_index.missing) == {"cpu_package"}
    sliced = sampler.enter(TrialShares("t", 1, ("MIG-1",)))
    assert "slice" in sliced.missing["gpu"]
    sampler.close()


def test_the_parts_of_two_trials_on_one_gpu_are_its_meter(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over the driver's functions, with a counter that moves in steps and numbers of processes that it knows."""
    monkeypatch.setenv(POWERCAP_VARIABLE, str(tmp_path))
    sample = [SimpleNamespace(pid=1, smUtil=60, timeStamp=1), SimpleNamespace(pid=2, smUtil=20, timeStamp=1)]
    monkeypatch.setattr(nvml.pynvml, "nvmlDeviceGetProcessUtilization", lambda handle, since: sample)
    clock = itertools.count(0.0, 0.05)
    devices, missing = open_node()
    sampler = NodeSampler(devices, missing, clock=lambda: next(clock), is_alive=lambda pid: True)
    for _ in range(60):  # next to no idle power
        driver.counters["GPU-a"] += 1
        sampler.sample()
    entries = [sampler.enter(TrialShares(f"t{pid}", pid, ("GPU-a",), 0.5)) for pid in (1, 2)]
    for _ in range(20):
        driver.counters["GPU-a"] += 160_000
        sampler.sample()
    found = [sampler.take(entry.number) for entry in entries]
    assert [taken.energy_uj["GPU-a"] for taken in found] == pytest.approx([2.4e9, 0.8e9], rel=0.1)
    device = next(one for one in sampler.devices() if one.device == "GPU-a")
    assert device.meter_j == pytest.approx(3200.06)
    assert device.trials_j + device.overhead_j + device.unattributed_j == pytest.approx(device.meter_j, abs=1e-6)
    assert {taken.method for taken in found} == {EnergyMethod.MEASURED_SHARED_UTILISATION}
    sampler.close()
