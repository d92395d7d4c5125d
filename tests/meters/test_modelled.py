"""Energy by stated powers: only where nothing is measured, only if asked for, never without its label."""

from __future__ import annotations

import pytest

from greenexp.meters import Meters
from greenexp.meters.energy import EnergyWindows
from greenexp.meters.fake import FakeSource
from greenexp.meters.memory import ResidentMemory
from greenexp.meters.modelled import PowerModel
from greenexp.records.energy import EnergyMethod, weakest
from greenexp.records.sections import Accounting

MODEL = Accounting(energy="modelled", cpu_watts_per_core=7.0, gpu_watts={"H200": 600.0, "NVIDIA H200 NVL": 500.0})


def meters(accounting: Accounting, *readings_j: float, gpus: tuple[str, ...] = ()) -> Meters:
    energy = EnergyWindows([FakeSource(readings_j)] if readings_j else [], {})
    model = PowerModel.of(accounting, gpus)
    return Meters(energy=energy, memory=ResidentMemory(), gpus=len(gpus), accounting=accounting, model=model)


def test_time_on_the_devices_times_their_power() -> None:
    model = PowerModel.of(MODEL, ["NVIDIA H200"])
    assert model is not None
    reading = model.energy(gpu_s=10.0, cpu_s=4.0)
    assert reading.energy_j == 10 * 600 + 4 * 7
    assert reading.method is EnergyMethod.MODELLED
    assert reading.reasons == {}
    longest = PowerModel.of(MODEL, ["nvidia h200 nvl"])
    assert longest is not None
    assert longest.gpu_w == 500


def test_nothing_is_modelled_unless_asked_for() -> None:
    assert PowerModel.of(Accounting(cpu_watts_per_core=7.0), []) is None
    assert PowerModel.of(None, []) is None


@pytest.mark.parametrize(
    ("accounting", "gpus", "reason"),
    [
        (Accounting(energy="modelled"), (), "states no power"),
        (MODEL, ("A100",), "no power for A100"),
    ],
)
def test_without_a_power_there_is_no_energy(accounting: Accounting, gpus: tuple[str, ...], reason: str) -> None:
    measured = meters(accounting, gpus=gpus).read()
    assert measured.costs.energy_j is None
    assert reason in measured.not_measured["energy_j"]
    assert measured.energy_method is EnergyMethod.UNAVAILABLE


def test_what_can_be_measured_is_not_modelled() -> None:
    measured = meters(MODEL, 5, 8, 8, 8).read()
    assert (measured.costs.energy_j, measured.energy_method) == (3, EnergyMethod.MEASURED_EXCLUSIVE)
    modelled = meters(MODEL).read()
    assert modelled.costs.energy_j == pytest.approx(7 * (modelled.costs.cpu_s or 0.0))
    assert modelled.energy_method is EnergyMethod.MODELLED


def test_a_sum_is_as_sure_as_its_weakest_part() -> None:
    assert weakest([EnergyMethod.MODELLED, EnergyMethod.MEASURED_EXCLUSIVE]) is EnergyMethod.MODELLED
    assert weakest([]) is None
