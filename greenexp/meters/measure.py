"""`Meters`: all measured costs of consecutive windows of one trial."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from greenexp.meters.accounting import price_costs
from greenexp.meters.energy import EnergyReading, MeterError, TrialEnergy
from greenexp.meters.memory import MemoryMeter
from greenexp.meters.modelled import PowerModel
from greenexp.records.energy import EnergyMethod
from greenexp.records.epoch import Costs
from greenexp.records.sections import Accounting


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a window cost; `not_measured`: name of a cost that is None (or `energy_j.<part>` of one) -> why.

    energy_method: how its energy was found
    """

    costs: Costs
    not_measured: Mapping[str, str] = field(default_factory=dict)
    energy_method: EnergyMethod = EnergyMethod.UNAVAILABLE


class Meters:
    """The clock, CPU time, memory and energy of one trial; `opening.open_meters` makes one.

    `start()` begins a window, `read()` ends it and begins the next; nothing between two windows is lost. FLOPs are not
    measured but computed: whoever trains fills them in.
    gpus, cpus: numbers assigned to the trial; model: of energy, for what cannot be measured; None: there is none
    """

    def __init__(
        self,
        *,
        energy: TrialEnergy,
        memory: MemoryMeter,
        gpus: float = 0,
        cpus: float = 1,
        accounting: Accounting | None = None,
        model: PowerModel | None = None,
    ) -> None:
        self._energy, self._memory, self._model = energy, memory, model
        self.gpus, self._cpus = gpus, cpus
        self._accounting = accounting
        self._memory_reason: str | None = None
        self._wall_s = self._cpu_s = 0.0
        self.start()

    def start(self) -> None:
        """Begin a window now."""
        self._begin(time.monotonic(), time.process_time())

    def keep_up(self) -> None:
        """Call once per training step: reads counters that would otherwise wrap around unseen; almost free."""
        self._energy.keep_up(time.monotonic())

    def read(self) -> MeterReading:
        """What the window that ends now cost."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        wall_s = now_s - self._wall_s
        gpu_s, used_cpu_s = wall_s * self.gpus, cpu_s - self._cpu_s
        energy = self._modelled(self._energy.read(now_s), gpu_s=gpu_s, cpu_s=used_cpu_s)
        reasons = dict(energy.reasons)
        costs = Costs(
            wall_s=wall_s,
            cpu_s=used_cpu_s,
            gpu_s=gpu_s,
            energy_j=energy.energy_j,
            peak_memory_b=self._peak_b(reasons),
        )
        costs, unpriced = price_costs(costs, self._accounting, cpus=self._cpus)
        self._begin(now_s, cpu_s)
        return MeterReading(costs, reasons | unpriced, energy.method)

    def close(self) -> None:
        """Give the counters back; twice is allowed."""
        self._energy.close()

    def __enter__(self) -> Meters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, now_s: float, cpu_s: float) -> None:
        self._wall_s, self._cpu_s = now_s, cpu_s
        self._energy.start(now_s)
        self._memory_reason = None
        try:
            self._memory.reset()
        except MeterError as error:
            self._memory_reason = str(error)

    def _modelled(self, measured: EnergyReading, *, gpu_s: float, cpu_s: float) -> EnergyReading:
        """What was measured; where nothing was, what the model says, if there is one."""
        if self._model is None or measured.energy_j is not None:
            return measured
        return self._model.energy(gpu_s=gpu_s, cpu_s=cpu_s)

    def _peak_b(self, reasons: dict[str, str]) -> float | None:
        why = self._memory_reason
        if why is None:
            try:
                return self._memory.peak_b()
            except MeterError as error:
                why = str(error)
        reasons["peak_memory_b"] = why
        return None
