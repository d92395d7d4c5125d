"""Energy by a model, where nothing can be measured and the sweep file asks for it: time on a device times its power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenexp.meters.energy import CPU, EnergyReading
from greenexp.records.energy import EnergyMethod
from greenexp.records.sections import MODELLED, Accounting


@dataclass(frozen=True, slots=True)
class PowerModel:
    """energy_j = cpu_s x cpu_w + gpu_s x gpu_w, with powers that the user states.

    cpu_w: of a core while it computes; gpu_w: of a GPU while it is assigned; None: not stated
    why_not: why there is no power of the trial's GPUs, or empty
    """

    cpu_w: float | None
    gpu_w: float | None
    why_not: str = ""

    @classmethod
    def of(cls, accounting: Accounting | None, gpu_names: Sequence[str]) -> PowerModel | None:
        """The model that the sweep file asks for; None if it asks for none. gpu_names: of the trial's GPUs."""
        if accounting is None or accounting.energy != MODELLED:
            return None
        watts = [_watts_of(name, accounting.gpu_watts or {}) for name in gpu_names]
        unknown = [name for name, one in zip(gpu_names, watts, strict=True) if one is None]
        if unknown:
            return cls(None, None, f"accounting.gpu_watts has no power for {unknown[0]}")
        known = [one for one in watts if one is not None]
        return cls(accounting.cpu_watts_per_core, sum(known) / len(known) if known else None)

    def energy(self, *, gpu_s: float, cpu_s: float) -> EnergyReading:
        """The energy of a window, or why there is none."""
        if self.why_not:
            return EnergyReading(None, {"energy_j": self.why_not})
        if self.cpu_w is None and self.gpu_w is None:
            return EnergyReading(None, {"energy_j": "accounting states no power to model it with"})
        joules = cpu_s * (self.cpu_w or 0.0) + gpu_s * (self.gpu_w or 0.0)
        missing = {} if self.cpu_w is not None else {f"energy_j.{CPU}": "accounting.cpu_watts_per_core is not stated"}
        return EnergyReading(joules, missing, EnergyMethod.MODELLED)


def _watts_of(name: str, table: Mapping[str, float]) -> float | None:
    """The power of a GPU: of the longest entry of the table that its name contains, whatever the case."""
    found = [entry for entry in table if entry.casefold() in name.casefold()]
    return table[max(found, key=len)] if found else None
