"""Energy of the CPU packages from RAPL, as the kernel's powercap tree shows it (Intel, and AMD since Zen)."""

from __future__ import annotations

from pathlib import Path

from greenexp.meters.energy import MeterError

POWERCAP = Path("/sys/class/powercap")

_MOST_W = 1000.0
"""No CPU package draws more: the wrap-around range over this is the time in which it cannot wrap twice."""


class RaplSource:
    """The summed counters of all package domains (`intel-rapl:0`, `intel-rapl:1`, ... named `package-N`).

    Cores and uncore are parts of a package, so they are not added; DRAM is not counted. A package covers everything
    that runs on it: attribute it only to a trial that has the machine to itself. Raises MeterError when there is no
    domain or the kernel keeps its counters from this user.
    """

    covers = "cpu_package"

    def __init__(self, root: Path = POWERCAP) -> None:
        self._domains = _package_domains(root)
        if not self._domains:
            raise MeterError("no RAPL package domain: absent in most virtual machines and on some CPUs")
        ranges_uj = [_read_uj(domain / "max_energy_range_uj") for domain in self._domains]
        self._range_uj = dict(zip(self._domains, ranges_uj, strict=True))
        self._last_uj = {domain: _read_uj(domain / "energy_uj") for domain in self._domains}
        self._total_uj = 0
        self.safe_gap_s = min(ranges_uj) * 1e-6 / _MOST_W

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


def _package_domains(root: Path) -> list[Path]:
    """Top-level zones named `package-N`, each once although the tree may list a zone under two control types."""
    found: dict[str, Path] = {}
    for name_file in sorted(root.glob("intel-rapl:*/name")):
        try:
            name = name_file.read_text().strip()
        except OSError as error:
            raise MeterError(f"RAPL: {name_file.parent.name} cannot be read: {error.strerror}") from error
        if name.startswith("package"):
            found.setdefault(name, name_file.parent)
    return list(found.values())


def _read_uj(path: Path) -> int:
    try:
        return int(path.read_text())
    except PermissionError as error:
        raise MeterError(f"RAPL: {path.parent.name}/{path.name} is readable by root only") from error
    except (OSError, ValueError) as error:
        raise MeterError(f"RAPL: {path.parent.name}/{path.name} cannot be read: {error}") from error
