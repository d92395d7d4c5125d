"""From time and energy to grams and money, by the factors that the sweep file states. The only place with these rules.

    carbon_g = kWh x pue x carbon_g_per_kwh
    money    = GPU hours x price_per_gpu_h + CPU core hours x price_per_cpu_h + kWh x pue x price_per_kwh

over the stated prices. Hours are those for which GPUs and cores are assigned, idle or not; kWh are those of the
computers, and pue makes them those of the building. Nothing is assumed: without a factor there is no number.
"""

from __future__ import annotations

from collections.abc import Mapping

from greenexp.records.sections import Accounting
from greenexp.units import JOULES, SECONDS

GPU_TIME, CPU_TIME, ENERGY = "GPU time", "CPU time", "energy"
"""What has a price: seconds x GPUs, seconds x CPU cores, joules."""
NO_CARBON_FACTOR = "accounting.carbon_g_per_kwh is not stated"
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


def _prices(accounting: Accounting) -> dict[str, float | None]:
    """Per hour, per hour and per kWh."""
    return {
        GPU_TIME: accounting.price_per_gpu_h,
        CPU_TIME: accounting.price_per_cpu_h,
        ENERGY: accounting.price_per_kwh,
    }


def _facility_kwh(energy_j: float, accounting: Accounting) -> float:
    return energy_j / JOULES["kwh"] * accounting.pue
