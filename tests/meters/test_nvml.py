"""NVML with a stand-in for the driver library."""

from __future__ import annotations

from collections.abc import Iterator

import pynvml
import pytest

from greenexp.meters import nvml
from greenexp.meters.energy import MeterError
from greenexp.meters.nvml import NvmlSource, visible_gpus


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
