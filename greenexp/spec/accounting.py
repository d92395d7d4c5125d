"""From time and energy to grams and money, by the factors that the sweep file states. The only place with these rules.

    carbon_g = kWh x pue x carbon_g_per_kwh
    money    = GPU hours x price_per_gpu_h + CPU core hours x price_per_cpu_h + kWh x pue x price_per_kwh

    embodied_g = GPU hours x embodied_g_per_gpu_h + CPU core hours x embodied_g_per_cpu_h

over the stated prices. What making the machines emitted (`embodied_g`) is a figure of its own and never part of
`carbon_g`, which is of the energy used. Hours are those for which GPUs and cores are assigned, idle or not; kWh are
those of the computers, and pue makes them those of the building. Nothing is assumed: without a factor there is no
number.
"""

from __future__ import annotations

from collections.abc import Mapping

from greenexp.records.sections import Accounting
from greenexp.units import JOULES, SECONDS

GPU_TIME, CPU_TIME, ENERGY = "GPU time", "CPU time", "energy"
"""What has a price: seconds x GPUs, seconds x CPU cores, joules."""
NO_CARBON_FACTOR = "accounting.carbon_g_per_kwh is not stated"
NO_EMBODIED_FACTOR = "neither accounting.embodied_g_per_gpu_h nor embodied_g_per_cpu_h is stated"
NO_PRICE = "no price is stated in accounting"


def carbon_g(energy_j: float, accounting: Accounting) -> float | None:
    """Grams of CO2-equivalent of `energy_j` joules; None if the factor is not stated (`NO_CARBON_FACTOR`)."""
    if accounting.carbon_g_per_kwh is None:
        return None
    return _facility_kwh(energy_j, accounting) * accounting.carbon_g_per_kwh


def priced(accounting: Accounting) -> tuple[str, ...]:
    """What of GPU_TIME, CPU_TIME and ENERGY has a price; nothing: there is no money (`NO_PRICE`)."""
    return tuple(what for what, price in _prices(accounting).items() if price is not None)


def money(amounts: Mapping[str, float], accounting: Accounting) -> float:
    """What the amounts cost, in the currency of the prices.

    amounts: of everything that is `priced`, in seconds or joules; of more is ignored. A part would look like the whole,
    so one that is missing is a KeyError.
    """
    total = 0.0
    for what, price in _prices(accounting).items():
        if price is not None:
            amount = amounts[what]
            total += price * (_facility_kwh(amount, accounting) if what == ENERGY else amount / SECONDS["h"])
    return total


def embodied_g(gpu_s: float | None, core_s: float | None, accounting: Accounting) -> float | None:
    """Grams of CO2-equivalent of making the machines, for the seconds that GPUs and CPU cores were held.

    None if no factor is stated (`NO_EMBODIED_FACTOR`), or if seconds that have a factor are not known.
    """
    parts = [(gpu_s, accounting.embodied_g_per_gpu_h), (core_s, accounting.embodied_g_per_cpu_h)]
    stated = [(seconds, factor) for seconds, factor in parts if factor is not None]
    known = [seconds / SECONDS["h"] * factor for seconds, factor in stated if seconds is not None]
    return sum(known) if stated and len(known) == len(stated) else None


def _prices(accounting: Accounting) -> dict[str, float | None]:
    """Per hour, per hour and per kWh."""
    return {
        GPU_TIME: accounting.price_per_gpu_h,
        CPU_TIME: accounting.price_per_cpu_h,
        ENERGY: accounting.price_per_kwh,
    }


def _facility_kwh(energy_j: float, accounting: Accounting) -> float:
    return energy_j / JOULES["kwh"] * accounting.pue
