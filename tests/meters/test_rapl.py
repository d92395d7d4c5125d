"""RAPL over a made-up powercap tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.meters.energy import MeterError
from greenexp.meters.rapl import POWERCAP_VARIABLE, RaplSource


def zone(root: Path, folder: str, name: str, energy_uj: int, range_uj: int = 262_143_328_850) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return path


def test_packages_add_up_and_their_parts_do_not(tmp_path: Path) -> None:
    one, two = (zone(tmp_path, f"intel-rapl:{i}", f"package-{i}", 10**6 * i) for i in range(2))
    core = zone(tmp_path, "intel-rapl:0:0", "core", 0)
    other_type = zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)
    source = RaplSource(tmp_path)
    (one / "energy_uj").write_text("2500000")
    (two / "energy_uj").write_text("1500000")
    for uncounted in (core, other_type):
        (uncounted / "energy_uj").write_text("9000000")
    assert source.read_j() == pytest.approx(3.0)
    assert source.read_j() == pytest.approx(3.0)


def test_a_wrap_around_is_bridged(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 900, range_uj=999)
    source = RaplSource(tmp_path)
    (package / "energy_uj").write_text("50")
    assert source.read_j() == pytest.approx(150e-6)
    assert source.safe_gap_s == pytest.approx(999e-6 / 1000)


def test_no_domain(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="RAPL"):
        RaplSource(tmp_path)
    with pytest.raises(MeterError, match="RAPL"):
        RaplSource(tmp_path / "absent")


def test_permission_denied_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    read = Path.read_text

    def guarded(self: Path, *args: object, **options: object) -> str:
        if self == package / "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(self)

    monkeypatch.setattr(Path, "read_text", guarded)
    with pytest.raises(MeterError, match="root"):
        RaplSource(tmp_path)


def test_a_domain_that_vanishes_is_an_error_not_a_number(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    source = RaplSource(tmp_path)
    (package / "energy_uj").unlink()
    with pytest.raises(MeterError, match="cannot be read"):
        source.read_j()


def test_memory_counts_beside_its_package_and_not_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 0)
    with pytest.raises(MeterError, match="no RAPL package"):
        RaplSource(tmp_path)
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    monkeypatch.setenv(POWERCAP_VARIABLE, str(tmp_path))
    source = RaplSource()
    assert source.counts_memory
    (memory / "energy_uj").write_text("3000000")
    assert source.read_j() == pytest.approx(3.0)
