"""Energy of CPU packages and their memory from RAPL, as the kernel's powercap tree shows it (Intel; AMD since Zen)."""

from __future__ import annotations

import os
from pathlib import Path

from greenexp.meters.energy import MeterError

POWERCAP = Path("/sys/class/powercap")
POWERCAP_VARIABLE = "GREENEXP_POWERCAP"
"""Environment variable: where the powercap tree is, in a container that has it elsewhere."""

_DRAM = "dram"
_MOST_W = 1000.0
"""No CPU package draws more: the wrap-around range over this is the time in which it cannot wrap twice."""


class RaplSource:
    """The summed counters of all package domains (`intel-rapl:0`, ... named `package-N`) and of their `dram`.

    Cores and uncore are parts of a package, so they are not added. A package covers everything that runs on it.
    root: of the powercap tree; None: as the environment says, else the kernel's place. Raises MeterError when there is
    no package domain or the kernel keeps its counters from this user.
    """

    covers = "cpu_package"

    def __init__(self, root: Path | None = None) -> None:
        self._domains = _domains(root or Path(os.environ.get(POWERCAP_VARIABLE) or POWERCAP))
        if not self._domains:
            raise MeterError("no RAPL package domain: absent in most virtual machines and on some CPUs")
        ranges_uj = [_read_uj(domain / "max_energy_range_uj") for domain in self._domains]
        self._range_uj = dict(zip(self._domains, ranges_uj, strict=True))
        self._last_uj = {domain: _read_uj(domain / "energy_uj") for domain in self._domains}
        self._total_uj = 0
        self.safe_gap_s = min(ranges_uj) * 1e-6 / _MOST_W
        self.counts_memory = any(_name(domain) == _DRAM for domain in self._domains)

    def read_j(self) -> float:
        """Joules since this source was opened; a counter that became smaller has wrapped around once."""
        for domain in self._domains:
            now_uj = _read_uj(domain / "energy_uj")
            used_uj = now_uj - self._last_uj[domain]
            self._total_uj += used_uj if used_uj >= 0 else used_uj + self._range_uj[domain] + 1
            self._last_uj[domain] = now_uj
        return self._total_uj * 1e-6

    def close(self) -> None:
        """Nothing is held open."""


def _domains(root: Path) -> list[Path]:
    """Zones named `package-N`, each once although the tree may list it under two control types, and those named `dram`.

    Empty without a package: memory alone would pass for the machine.
    """
    packages: dict[str, Path] = {}
    memory: list[Path] = []
    for name_file in sorted(root.glob("intel-rapl:*/name")):
        name = _name(name_file.parent)
        if name.startswith("package"):
            packages.setdefault(name, name_file.parent)
        elif name == _DRAM:
            memory.append(name_file.parent)
    return [*packages.values(), *memory] if packages else []


def _name(domain: Path) -> str:
    try:
        return (domain / "name").read_text().strip()
    except OSError as error:
        raise MeterError(f"RAPL: {domain.name} cannot be read: {error.strerror}") from error


def _read_uj(path: Path) -> int:
    try:
        return int(path.read_text())
    except PermissionError as error:
        raise MeterError(f"RAPL: {path.parent.name}/{path.name} is readable by root only") from error
    except (OSError, ValueError) as error:
        raise MeterError(f"RAPL: {path.parent.name}/{path.name} cannot be read: {error}") from error
