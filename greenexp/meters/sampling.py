"""One sampler for all energy counters of a node, which divides what they count among the trials that run there."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from greenexp.meters.activity import ActivityMeter, CpuActivity, GpuActivity
from greenexp.meters.device_account import Activity, DeviceAccount, Tenancy
from greenexp.meters.energy import CPU, GPU, EnergySource, MeterError
from greenexp.meters.nvml import NvmlSource, PowerSource, all_gpus, handle_of, uuid_of
from greenexp.meters.rapl import RaplSource
from greenexp.records.energy import EnergyMethod, MeteredDevice, weakest

PERIOD_S = 0.5
"""Between two samples. Counters lose nothing between two reads; only who used the device is sampled."""
CPU_DEVICE = "cpu"
_FRESH_S = 0.2
"""GPU counters move every 20 to 100 ms: for how long a reading at the end of a window waits for a new one."""
_RETRY_S = 0.01
_NOTABLE = 0.01
"""Part of a window's energy below which the method of finding it is not told: an interval of milliseconds, in which the
kernel counted no CPU time for anybody, says nothing of the window."""


@dataclass(slots=True)
class NodeDevice:
    """A device with a counter: its name, what is read of it, and who uses it.

    moves_in_steps: whether the counter stands still for a while between two movements
    """

    name: str
    counter: str
    source: EnergySource
    activity: ActivityMeter
    moves_in_steps: bool = False
    account: DeviceAccount = field(init=False)

    def __post_init__(self) -> None:
        self.account = DeviceAccount(self.source.safe_gap_s)

    def read_activity(self, now_s: float, *newcomers: int) -> Activity:
        """Who has used it up to now; always of all trials' processes, as those that are not asked for count as own."""
        return self.activity.read((*self.account.pids, *newcomers), now_s)


@dataclass(frozen=True, slots=True)
class TrialShares:
    """What of a node a trial is given: its process, GPUs and its part of each, its part of the CPU packages."""

    trial: str
    pid: int
    gpus: tuple[str, ...] = ()
    gpu_share: float = 1.0
    cpu_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A trial's place at the sampler: its number, and what its energy cannot cover -> why."""

    number: int
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TakenEnergy:
    """Microjoules of a trial by device since it entered; method, hole: of the time since it last asked."""

    energy_uj: Mapping[str, int]
    method: EnergyMethod | None
    hole: str


class NodeSampler:
    """Reads the counters of a node's devices every `period_s` seconds and keeps an account of each.

    node: a short name of the node; span: of this sampler's life; missing: device (or `gpu`, `cpu_package`) -> why it
    has no counter
    Use `close` to stop its thread. Every method may be called from any thread.
    """

    def __init__(
        self,
        devices: Sequence[NodeDevice],
        missing: Mapping[str, str],
        *,
        node: str = "",
        span: str = "",
        period_s: float = PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
        is_alive: Callable[[int], bool] | None = None,
    ) -> None:
        self._devices = {device.name: device for device in devices}
        self._missing = dict(missing)
        self._node, self._span, self._period_s, self._clock = node, span, period_s, clock
        self._is_alive = is_alive or _is_alive
        self._lock = threading.Lock()
        self._entries: dict[int, dict[str, Tenancy]] = {}
        self._numbers = itertools.count(1)
        self._cpu_s = 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.sample()

    def start(self) -> None:
        """Begin to sample in a thread."""
        self._thread = threading.Thread(target=self._keep_sampling, name="energy", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling and give the counters back."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            for device in self._devices.values():
                device.source.close()

    def enter(self, shares: TrialShares) -> Entry:
        """A trial begins to use its devices."""
        devices, missing = self._devices_of(shares)
        with self._lock:
            self._sample()
            now_s, number = self._clock(), next(self._numbers)
            self._entries[number] = {
                device.name: device.account.enter(
                    shares.trial, shares.pid, share, now_s, device.read_activity(now_s, shares.pid)
                )
                for device, share in devices
            }
        return Entry(number, missing)

    def take(self, number: int) -> TakenEnergy:
        """The trial's energy so far, up to the newest movement of the counters. Raises MeterError if it is unknown."""
        with self._lock:
            if number not in self._entries:
                raise MeterError("the sampler of energy does not know this trial: it has started anew")
            tenancies = self._entries[number]
            self._sample_fresh([self._devices[name] for name in tenancies])
            energy = {name: tenancy.energy_uj for name, tenancy in tenancies.items()}
            method = _method(tenancies.values())
            hole = "; ".join(tenancy.hole for tenancy in tenancies.values() if tenancy.hole)
            for tenancy in tenancies.values():
                tenancy.recent_uj, tenancy.hole = {}, ""
            return TakenEnergy(energy, method, hole)

    def leave(self, number: int) -> None:
        """The trial no longer uses its devices; unknown numbers are ignored."""
        with self._lock:
            if number in self._entries:
                self._sample()
                self._end(number)

    def release(self, trial: str) -> None:
        """A trial no longer uses its devices, wherever it entered."""
        with self._lock:
            self._sample()
            for number, tenancies in list(self._entries.items()):
                if any(tenancy.trial == trial for tenancy in tenancies.values()):
                    self._end(number)

    def add_own(self, pid: int) -> None:
        """A further process that is the sweep's and no trial's."""
        with self._lock:
            for device in self._devices.values():
                device.activity.add_own(pid)

    def sample(self) -> None:
        """Read all counters now."""
        with self._lock:
            self._sample()

    def devices(self) -> list[MeteredDevice]:
        """What was counted on each device so far, and how it was divided."""
        with self._lock:
            self._sample()
            return [self._metered(device) for device in self._devices.values()]

    def _keep_sampling(self) -> None:
        began_s = time.thread_time()
        while not self._stopped.wait(self._period_s):
            self.sample()
            with self._lock:
                self._cpu_s = time.thread_time() - began_s

    def _devices_of(self, shares: TrialShares) -> tuple[list[tuple[NodeDevice, float]], dict[str, str]]:
        """The trial's devices with its share of each, and what of them is missing.

        Without the counter of a GPU there is none: what is left would pass for the trial's energy.
        """
        found: list[tuple[NodeDevice, float]] = []
        for gpu in shares.gpus:
            try:
                name = gpu if gpu in self._devices else uuid_of(gpu)
            except MeterError as error:
                return [], {GPU: str(error), CPU: LEFT_OUT}
            if name not in self._devices:
                return [], {GPU: self._missing.get(name, self._missing.get(GPU, "no counter")), CPU: LEFT_OUT}
            found.append((self._devices[name], shares.gpu_share))
        if CPU_DEVICE in self._devices:
            return [*found, (self._devices[CPU_DEVICE], shares.cpu_share)], {}
        missing = {CPU: self._missing.get(CPU, "no counter")}
        return found, missing if shares.gpus else {**self._missing, **missing}

    def _sample_fresh(self, devices: Sequence[NodeDevice]) -> None:
        """Sample, and wait for a counter that moves in steps until it has moved since the trial asked."""
        self._sample()
        waiting = [device for device in devices if device.moves_in_steps]
        before = {device.name: device.account.meter_uj for device in waiting}
        end_s = self._clock() + _FRESH_S
        while self._clock() < end_s and any(device.account.meter_uj == before[device.name] for device in waiting):
            time.sleep(_RETRY_S)
            self._sample()

    def _sample(self) -> None:
        for device in self._devices.values():
            account = device.account
            try:
                reading_uj = round(device.source.read_j() * 1e6)
            except MeterError:
                account.fail()
                continue
            now_s = self._clock()
            account.note(reading_uj, now_s, device.read_activity(now_s))
        for number, tenancies in list(self._entries.items()):
            if tenancies and not self._is_alive(next(iter(tenancies.values())).pid):
                self._end(number)

    def _end(self, number: int) -> None:
        now_s = self._clock()
        for name, tenancy in self._entries.pop(number).items():
            device = self._devices[name]
            device.account.leave(tenancy, now_s, device.read_activity(now_s))

    def _metered(self, device: NodeDevice) -> MeteredDevice:
        account = device.account
        return MeteredDevice(
            node=self._node,
            span=self._span,
            device=device.name,
            counter=device.counter,
            span_s=account.span_s,
            meter_j=account.meter_uj * 1e-6,
            trials_j=account.trials_uj * 1e-6,
            overhead_j=account.overhead_uj * 1e-6,
            unattributed_j=account.unattributed_uj * 1e-6,
            idle_w=account.idle.watts,
            idle_from=account.idle.found,
            idle_window_s=account.idle.window_s,
            period_s=self._period_s,
            samples=account.samples,
            gaps=account.gaps,
            sampler_cpu_s=self._cpu_s / len(self._devices),
        )


LEFT_OUT = "left out, because it would pass for the whole"


def open_node(own_pids: Sequence[int] = ()) -> tuple[list[NodeDevice], dict[str, str]]:
    """The devices of this machine that have a counter, and what has none -> why.

    own_pids: processes of the sweep that are no trial's
    """
    devices: list[NodeDevice] = []
    missing: dict[str, str] = {}
    gpus = all_gpus()
    if not gpus:
        missing[GPU] = "no NVIDIA driver"
    for gpu in gpus:
        try:
            devices.append(_gpu(gpu))
        except MeterError as error:
            missing[gpu] = str(error)
    try:
        source = RaplSource()
        counter = "RAPL, packages and memory" if source.counts_memory else "RAPL, packages"
        devices.append(NodeDevice(CPU_DEVICE, counter, source, CpuActivity((*own_pids, os.getpid()))))
    except MeterError as error:
        missing[CPU] = str(error)
    return devices, missing


def _gpu(gpu: str) -> NodeDevice:
    """A GPU by its energy counter, else by samples of its power; never by both."""
    try:
        counter: EnergySource = NvmlSource([gpu])
        return NodeDevice(gpu, "NVML energy counter", counter, GpuActivity(handle_of(gpu)), moves_in_steps=True)
    except MeterError:
        power = PowerSource(gpu)
        return NodeDevice(gpu, "NVML power, integrated", power, GpuActivity(handle_of(gpu)))


def _method(tenancies: Iterable[Tenancy]) -> EnergyMethod | None:
    """The weakest of the methods by which a notable part of the recent energy was found; None if there is none."""
    found: dict[EnergyMethod, int] = {}
    for tenancy in tenancies:
        for method, energy_uj in tenancy.recent_uj.items():
            found[method] = found.get(method, 0) + energy_uj
    least_uj = _NOTABLE * sum(found.values())
    return weakest(method for method, energy_uj in found.items() if energy_uj >= least_uj)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
