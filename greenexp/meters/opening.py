"""Open the meters this machine has, and say which those are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenexp.meters.energy import CPU, GPU, SHARED, EnergySource, EnergyWindows, MeterError, TrialEnergy
from greenexp.meters.measure import Meters
from greenexp.meters.memory import CudaMemory, MemoryMeter, ResidentMemory
from greenexp.meters.modelled import PowerModel
from greenexp.meters.nvml import NvmlSource, visible_gpus
from greenexp.meters.rapl import RaplSource
from greenexp.meters.sampling import LEFT_OUT
from greenexp.records.axes import AXES
from greenexp.records.sections import MODELLED, Accounting
from greenexp.spec.accounting import ENERGY, NO_CARBON_FACTOR, NO_PRICE, priced


def open_meters(
    *,
    gpus: Sequence[str] = (),
    gpu_share: float = 1.0,
    cpus: float = 1,
    exclusive: bool,
    exclusive_gpus: bool | None = None,
    accounting: Accounting | None = None,
    energy: TrialEnergy | None = None,
) -> Meters:
    """The meters of one trial; close them when the trial ends.

    gpus: UUIDs (or NVML indices) of the GPUs assigned to the trial; gpu_share: the part of each it was given
    exclusive: no other trial runs on this machine meanwhile; exclusive_gpus: nor on these GPUs (None: as `exclusive`).
    energy: the trial's part of what the node's sampler counts. None: the counters are read here, and what other trials
        use too is missing, with that reason
    """
    if energy is None:
        alone = exclusive if exclusive_gpus is None else exclusive_gpus
        energy = EnergyWindows(*_energy_sources(gpus, exclusive, alone and gpu_share >= 1))
    return Meters(
        energy=energy,
        memory=CudaMemory() if gpus else ResidentMemory(),
        gpus=len(gpus) * gpu_share,
        cpus=cpus,
        accounting=accounting,
        model=PowerModel.of(accounting, _gpu_names(len(gpus), accounting)),
    )


def _gpu_names(gpus: int, accounting: Accounting | None) -> list[str]:
    """Names of the assigned GPUs, where a model of energy asks for them."""
    if not gpus or accounting is None or accounting.energy != MODELLED:
        return []
    import torch

    return [torch.cuda.get_device_name(place) for place in range(min(gpus, torch.cuda.device_count()))]


def survey(
    *,
    gpus: Sequence[str] | None = None,
    exclusive: bool = True,
    accounting: Accounting | None = None,
) -> dict[str, tuple[bool, str]]:
    """Budget axis (and `peak_memory_b`) -> whether it can be measured on this machine, and how or why not.

    gpus: as in `open_meters`; None: those this process sees. exclusive: one trial at a time. Needs no torch.
    """
    gpus = visible_gpus() if gpus is None else tuple(gpus)
    sources, missing = _energy_sources(gpus, exclusive=True, exclusive_gpus=True)
    for source in sources:
        source.close()
    covered = [source.covers for source in sources]
    gaps = "; ".join(f"{what}: {why}" for what, why in missing.items())
    energy = (bool(covered), f"counters of {', '.join(covered)}" + (f" ({gaps})" if gaps else "") if covered else gaps)
    if covered and not exclusive:
        energy = (True, f"{energy[1]}, divided among the trials by what they use")
    elif not covered and accounting is not None and accounting.energy == MODELLED:
        energy = (True, f"{MODELLED} from stated powers, as nothing can be measured: {gaps}")
    found: dict[str, tuple[bool, str]] = {
        "trials": (True, "counted"),
        "epochs": (True, "counted"),
        "wall_s": (True, "monotonic clock of the worker"),
        "gpu_s": (True, f"clock x GPUs assigned ({len(gpus)} visible)" if gpus else "no GPU: 0"),
        "cpu_s": (True, "CPU time of the worker process, all threads"),
        "train_flops": (True, "computed from the padded shapes"),
        "energy_j": energy,
        "carbon_g": _carbon(energy[0], accounting),
        "money": _money(energy[0], accounting),
        "peak_memory_b": (True, "peak allocated on the GPU") if gpus else _resident(),
    }
    return {name: found[name] for name in (*AXES, "peak_memory_b")}


def _energy_sources(
    gpus: Sequence[str], exclusive: bool, exclusive_gpus: bool
) -> tuple[list[EnergySource], dict[str, str]]:
    """Counters that can be read and attributed, and what they would have covered -> why not.

    With GPUs assigned but their counters missing there is no source: the CPU's energy would pass for the trial's.
    """
    wanted: list[tuple[str, bool, Callable[[], EnergySource]]] = [(CPU, exclusive, RaplSource)]
    if gpus:
        wanted.insert(0, (GPU, exclusive_gpus, lambda: NvmlSource(gpus)))
    sources: list[EnergySource] = []
    missing: dict[str, str] = {}
    for covers, is_alone, source in wanted:
        try:
            opened = source()
        except MeterError as error:
            missing[covers] = str(error)
            continue
        if is_alone:
            sources.append(opened)
        else:
            opened.close()
            missing[covers] = SHARED
    if GPU in missing:
        for opened in sources:
            opened.close()
            missing.setdefault(opened.covers, LEFT_OUT)
        return [], missing
    return sources, missing


def _resident() -> tuple[bool, str]:
    memory: MemoryMeter = ResidentMemory()
    try:
        memory.reset()
        memory.peak_b()
    except MeterError as error:
        return False, str(error)
    return True, "high-water mark of the worker's resident memory"


def _carbon(has_energy: bool, accounting: Accounting | None) -> tuple[bool, str]:
    if accounting is None or accounting.carbon_g_per_kwh is None:
        return False, NO_CARBON_FACTOR
    if not has_energy:
        return False, "energy is not measured"
    return True, f"energy x PUE {accounting.pue:g} x {accounting.carbon_g_per_kwh:g} g/kWh"


def _money(has_energy: bool, accounting: Accounting | None) -> tuple[bool, str]:
    stated = () if accounting is None else priced(accounting)
    if not stated:
        return False, NO_PRICE
    if ENERGY in stated and not has_energy:
        return False, "energy has a price but is not measured"
    return True, f"stated prices of {', '.join(stated)}"
