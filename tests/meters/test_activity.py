"""Who uses a device: a made-up /proc, and a stand-in for the driver."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from greenexp.meters import activity
from greenexp.meters.activity import CpuActivity, GpuActivity
from greenexp.meters.device_account import Activity

TICKS = os.sysconf("SC_CLK_TCK")


def process(proc: Path, pid: int, user: int, system: int = 0, children: int = 0, parent: int = 1) -> None:
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    fields = ["S", parent, *["0"] * 9, user, system, children, 0, *["0"] * 10]
    (folder / "stat").write_text(f"{pid} (a (b) c) {' '.join(map(str, fields))}")


def machine(proc: Path, user: int, idle: int = 0, steal: int = 0) -> None:
    (proc / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 2 3\n")


def test_cpu_seconds_of_processes_and_of_all(tmp_path: Path) -> None:
    meter = CpuActivity(proc=tmp_path)
    machine(tmp_path, user=9 * TICKS, idle=10**6, steal=10**6)
    process(tmp_path, 2, user=2 * TICKS, system=TICKS, children=TICKS)
    assert meter.read((2, 3), 0.0) == Activity({2: pytest.approx(4.0)}, 0.0, pytest.approx(9.0))
    (tmp_path / "2" / "stat").unlink()  # it died
    assert meter.read((2,), 0.0).by_pid == {2: pytest.approx(4.0)}


def test_the_sweeps_own_processes_are_those_it_has_started(tmp_path: Path) -> None:
    meter = CpuActivity(own=[10], proc=tmp_path)
    for pid, parent in ((10, 1), (11, 10), (12, 11), (20, 1)):  # driver, Ray, a worker, a stranger
        process(tmp_path, pid, user=100 * TICKS, parent=parent)
    assert meter.read((12,), 0.0).own == 0.0, "what was used before the first look is nobody's"
    for pid, parent in ((10, 1), (11, 10), (12, 11), (20, 1)):
        process(tmp_path, pid, user=101 * TICKS, parent=parent)
    assert meter.read((12,), 1.0).own == pytest.approx(2.0), "the worker has a trial"
    process(tmp_path, 12, user=104 * TICKS, parent=11)
    assert meter.read((), 2.0).own == pytest.approx(5.0), "between two trials it is the sweep's"
    process(tmp_path, 30, user=0, parent=1)
    meter.add_own(30)
    meter.read((), 3.0)
    process(tmp_path, 30, user=TICKS, parent=1)
    assert meter.read((), 4.0).own == pytest.approx(6.0)


def test_a_system_without_proc_tells_no_total(tmp_path: Path) -> None:
    assert CpuActivity(proc=tmp_path).read((1,), 0.0) == Activity({}, 0.0, None)


class GpuDriver:
    """What the driver says of one GPU: samples of utilisation, and the processes that run there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.samples: list[SimpleNamespace] = []
        self.running: list[int] = []
        self.error: int | None = None
        self._replace(monkeypatch, "nvmlDeviceGetProcessUtilization", self._utilisation)
        processes: Callable[[object], list[SimpleNamespace]] = lambda _: [SimpleNamespace(pid=p) for p in self.running]  # noqa: E731
        self._replace(monkeypatch, "nvmlDeviceGetComputeRunningProcesses", processes)

    def _replace(self, monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., object]) -> None:
        monkeypatch.setattr(activity.pynvml, name, function)

    def _utilisation(self, handle: object, since: int) -> list[SimpleNamespace]:
        if self.error is not None:
            raise pynvml.NVMLError(self.error)
        found = [sample for sample in self.samples if sample.timeStamp > since]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def tell(self, stamp: int, **utilisation: int) -> None:
        self.samples = [
            SimpleNamespace(pid=int(name[1:]), smUtil=part, timeStamp=stamp) for name, part in utilisation.items()
        ]


def test_busy_seconds_of_gpu_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, meter = GpuDriver(monkeypatch), GpuActivity("gpu")
    driver.running = [1, 2]
    assert meter.read((1,), 10.0) == Activity({1: 0.0}, 0.0, 0.0)
    driver.tell(1, p1=60, p2=20)
    assert meter.read((1,), 11.0) == Activity({1: pytest.approx(0.6)}, 0.0, pytest.approx(0.8))
    meter.read((1,), 11.5)  # no newer sample: the last one stands for a while
    assert meter.read((1,), 12.0).by_pid == {1: pytest.approx(1.2)}
    assert meter.read((1,), 20.0).by_pid == {1: pytest.approx(1.2)}  # too old: nobody was busy
    meter.add_own(2)
    assert meter.read((1,), 20.0).own == pytest.approx(0.4)


def test_numbers_of_processes_that_the_driver_does_not_know_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, meter = GpuDriver(monkeypatch), GpuActivity("gpu")
    driver.running = [901]
    driver.tell(1, p901=80)
    meter.read((1,), 0.0)
    assert meter.read((1,), 1.0) == Activity()


def test_a_device_that_does_not_tell_utilisation(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, meter = GpuDriver(monkeypatch), GpuActivity("gpu")
    driver.error = pynvml.NVML_ERROR_NOT_SUPPORTED
    assert meter.read((1,), 0.0) == Activity()
    driver.error = None
    driver.tell(1, p1=50)
    assert meter.read((1,), 1.0) == Activity(), "a device that said no is not asked again"
