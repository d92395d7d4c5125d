"""Two processes on one GPU: what its meter counts, and the parts. `make test-gpu` prints them."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import time
from typing import Any

import pytest
import torch

from greenexp.meters.nvml import all_gpus
from greenexp.meters.sampled_energy import SampledEnergy
from greenexp.meters.sampling import NodeSampler, TrialShares, open_node
from greenexp.records.energy import EnergyMethod

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

SECONDS = 20.0
SIZES = (4096, 1024)
"""Of the matrices that each process multiplies: one asks more of the GPU than the other."""


def multiply(size: int, seconds: float, ready: Any, begin: Any, told: Any) -> None:
    """Keep the GPU busy; `told`: the joules that codecarbon's task mode ascribes to it, None where it is missing."""
    one = torch.randn(size, size, device="cuda")
    torch.cuda.synchronize()
    ready.release()
    begin.wait()
    tracker = task_tracker()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            one = torch.tanh(one @ one)
        torch.cuda.synchronize()
    told.put(None if tracker is None else tracker.stop_task("work").gpu_energy * 3.6e6)


def task_tracker() -> Any:
    """codecarbon's tracker with a task begun; None where it is not installed."""
    try:
        codecarbon = importlib.import_module("codecarbon")
    except ImportError:
        return None
    options = {"country_iso_code": "FRA", "save_to_file": False, "log_level": "error", "gpu_ids": [0]}
    tracker = codecarbon.OfflineEmissionsTracker(**options)
    tracker.start_task("work")
    return tracker


def test_two_processes_share_what_the_meter_counted(capsys: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    ready, begin, told = context.Semaphore(0), context.Event(), context.Queue()
    devices, _ = open_node()
    sampler = NodeSampler(devices, {})
    sampler.start()
    time.sleep(5.0)  # idle power
    workers = [context.Process(target=multiply, args=(size, SECONDS, ready, begin, told)) for size in SIZES]
    for worker in workers:
        worker.start()
    for _ in workers:
        assert ready.acquire(timeout=120)
    gpu = all_gpus()[0]
    trials = [
        SampledEnergy(sampler, TrialShares(f"t{place}", worker.pid or 0, (gpu,), 0.5))
        for place, worker in enumerate(workers)
    ]
    for trial in trials:
        trial.start(0.0)
    before = next(device for device in sampler.devices() if device.device == gpu)
    begin.set()
    time.sleep(SECONDS)
    found = [trial.read(0.0) for trial in trials]
    after = next(device for device in sampler.devices() if device.device == gpu)
    carbon = [told.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    sampler.close()
    parts = [after.trials_j - before.trials_j, after.overhead_j - before.overhead_j]
    parts.append(after.unattributed_j - before.unattributed_j)
    meter = after.meter_j - before.meter_j
    lines = [
        f"meter {meter:.1f} J = trials {parts[0]:.1f} + overhead {parts[1]:.1f} + unattributed {parts[2]:.1f}",
        f"idle power {after.idle_w or 0.0:.1f} W ({after.idle_from or 'unknown'}), {after.counter}",
        *(f"matrices of {size}: {one.energy_j} J, {one.method}" for size, one in zip(SIZES, found, strict=True)),
    ]
    if None not in carbon:
        lines.append(f"codecarbon's tasks: {carbon} J, in all {sum(carbon) / meter:.2f} times the meter")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert sum(parts) == pytest.approx(meter, abs=1e-5)
    assert all(reading.energy_j is not None and reading.energy_j > 0 for reading in found)
    assert EnergyMethod.MEASURED_EXCLUSIVE not in {reading.method for reading in found}
