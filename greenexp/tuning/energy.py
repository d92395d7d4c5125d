"""The samplers of energy of a sweep's nodes: one actor per node, started by that of the driver's node.

Workers ask the sampler of their own node for their trial's part. The driver writes what all of them have counted to the
journal, now and then and at the end.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from greenexp.meters.energy import MeterError
from greenexp.meters.machine import usable_cores
from greenexp.meters.sampled_energy import SampledEnergy
from greenexp.meters.sampling import Entry, NodeSampler, TakenEnergy, TrialShares, open_node
from greenexp.records.energy import MeteredDevice
from greenexp.tuning.conductor import Conductor

_ANSWER_S = 10.0
"""A sampler answers within milliseconds; one that does not is gone, or its node is."""
_OTHER_NODES_S = 5.0
_EVERY_S = 60.0
_NODE_LENGTH = 8


class EnergyActor:
    """The sampler of one node; that of the driver's node also starts those of the others and speaks for all.

    own_pids: processes on this node that are the sweep's and no trial's
    """

    def __init__(self, own_pids: Sequence[int] = ()) -> None:
        self._node_id = ray.get_runtime_context().get_node_id()
        devices, missing = open_node(own_pids)
        self._sampler = NodeSampler(devices, missing, node=self._node_id[:_NODE_LENGTH], span=uuid.uuid4().hex[:12])
        self._sampler.start()
        self._others: dict[str, Any] = {}
        self._starting = threading.Lock()

    def sampler_of(self, node_id: str) -> Any | None:
        """The actor of another node; None: this one."""
        if node_id == self._node_id:
            return None
        with self._starting:
            if node_id not in self._others:
                self._others[node_id] = _started(node_id, ())
            return self._others[node_id]

    def enter(self, shares: TrialShares) -> Entry:
        """See `NodeSampler.enter`."""
        return self._sampler.enter(shares)

    def take(self, number: int) -> TakenEnergy:
        """See `NodeSampler.take`."""
        return self._sampler.take(number)

    def leave(self, number: int) -> None:
        """See `NodeSampler.leave`."""
        self._sampler.leave(number)

    def release(self, trial: str) -> None:
        """A trial was ended by the driver while its worker waits, on whichever node."""
        self._sampler.release(trial)
        for other in list(self._others.values()):
            other.release.remote(trial)

    def add_own(self, pid: int) -> None:
        """A further process on this node that is the sweep's and no trial's."""
        self._sampler.add_own(pid)

    def devices(self) -> list[MeteredDevice]:
        """Of all nodes that answer; what others had told before stands in the journal."""
        found = self._sampler.devices()
        asked = [other.devices.remote() for other in list(self._others.values())]
        ready, _ = ray.wait(asked, num_returns=len(asked), timeout=_OTHER_NODES_S) if asked else ([], [])
        for reference in ready:
            with contextlib.suppress(RayError):
                found += ray.get(reference)
        return found


def has_counters() -> bool:
    """Whether this machine has a counter of energy that can be read."""
    devices, _ = open_node()
    for device in devices:
        device.source.close()
    return bool(devices)


def start_samplers() -> Any:
    """The actor of this process's node. Ray must be up."""
    return _started(ray.get_runtime_context().get_node_id(), (os.getpid(),))


def _started(node_id: str, own_pids: Sequence[int]) -> Any:
    where = NodeAffinitySchedulingStrategy(node_id, soft=False)
    options = {"num_cpus": 0, "scheduling_strategy": where, "max_restarts": -1, "max_concurrency": 8}
    return ray.remote(EnergyActor).options(**options).remote(own_pids)


class OwnSampler:
    """The sampler of the node on which this process is; a `SamplerAccess`.

    actor: of the driver's node
    """

    def __init__(self, actor: Any) -> None:
        self._first = actor
        self._own: Any = None

    def enter(self, shares: TrialShares) -> Entry:
        """See `SamplerAccess`."""
        self._find()
        return self._ask(lambda: self._own.enter.remote(shares))

    def take(self, number: int) -> TakenEnergy:
        """See `SamplerAccess`."""
        return self._ask(lambda: self._own.take.remote(number))

    def leave(self, number: int) -> None:
        """See `SamplerAccess`; not waited for."""
        if self._own is not None:  # else it did not answer, and whoever starts anew in its place knows no trial
            with contextlib.suppress(RayError):
                self._own.leave.remote(number)

    def add_own(self, pid: int) -> None:
        """Say that a process here is the sweep's and no trial's; not waited for."""
        with contextlib.suppress(RayError, MeterError):
            self._find()
            self._own.add_own.remote(pid)

    def _find(self) -> None:
        if self._own is None:
            node_id = ray.get_runtime_context().get_node_id()
            self._own = self._ask(lambda: self._first.sampler_of.remote(node_id)) or self._first

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return ray.get(call(), timeout=_ANSWER_S)
        except MeterError as error:  # as the actor raised it; Ray gives its own error the same class, and a long text
            raise MeterError(str(getattr(error, "cause", None) or error)) from error
        except RayError as error:
            self._own = None
            raise MeterError(f"the sampler of energy does not answer: {type(error).__name__}") from error


def sampled_energy(
    actor: Any, trial: str, *, gpus: Sequence[str], gpu_share: float, cpus: float | None
) -> SampledEnergy:
    """The energy of a trial of this process, as its node's sampler divides it.

    cpus: cores given to the trial; None: it has the whole machine to itself
    """
    cpu_share = 1.0 if cpus is None else min(1.0, cpus / usable_cores())
    return SampledEnergy(OwnSampler(actor), TrialShares(trial, os.getpid(), tuple(gpus), gpu_share, cpu_share))


class EnergyWatch:
    """Brings to the journal what the samplers have counted."""

    def __init__(self, actor: Any, conductor: Conductor) -> None:
        self._actor, self._conductor = actor, conductor
        self._asked_at, self._asked = time.monotonic(), None

    def release(self, trial: str) -> None:
        """A trial has ended, whatever its worker does next."""
        with contextlib.suppress(RayError):
            self._actor.release.remote(trial)

    def look(self) -> None:
        """Called often: never waits."""
        if self._asked is None:
            if time.monotonic() - self._asked_at >= _EVERY_S:
                self._asked, self._asked_at = self._actor.devices.remote(), time.monotonic()
        elif ray.wait([self._asked], timeout=0)[0]:
            self._write(0.0)

    def finish(self) -> None:
        """The last account of the session."""
        self._asked = self._actor.devices.remote()
        self._write(_ANSWER_S)

    def _write(self, patience_s: float) -> None:
        reference, self._asked = self._asked, None
        try:
            devices = ray.get(reference, timeout=patience_s)
        except RayError:  # the sampler has died, and starts anew
            return
        if devices:
            self._conductor.write("energy", devices=[device.to_json() for device in devices])
