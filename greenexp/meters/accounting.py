"""Carbon and money: what follows from measured costs and the factors the user stated. Nothing is assumed."""

from __future__ import annotations

import dataclasses

from greenexp.records.epoch import Costs
from greenexp.records.sections import Accounting

JOULES_PER_KWH = 3.6e6


def price_costs(costs: Costs, accounting: Accounting | None, *, cpus: float) -> tuple[Costs, dict[str, str]]:
    """`costs` with `carbon_g` and `money` filled in, and for each that stays None the reason.

    carbon_g = kWh x pue x carbon_g_per_kwh
    money = gpu_h x price_per_gpu_h + cpus x wall_h x price_per_cpu_h + kWh x pue x price_per_kwh, over the stated
    prices; None if one is stated whose quantity was not measured, because a part would look like the whole.
    cpus: CPU cores assigned to the trial.
    """
    reasons: dict[str, str] = {}
    facility_kwh = None
    if costs.energy_j is not None and accounting is not None:
        facility_kwh = costs.energy_j / JOULES_PER_KWH * accounting.pue
    carbon_g = _carbon(facility_kwh, accounting, reasons)
    money = _money(costs, facility_kwh, accounting, cpus, reasons)
    return dataclasses.replace(costs, carbon_g=carbon_g, money=money), reasons


def _carbon(facility_kwh: float | None, accounting: Accounting | None, reasons: dict[str, str]) -> float | None:
    if accounting is None or accounting.carbon_g_per_kwh is None:
        reasons["carbon_g"] = "accounting.carbon_g_per_kwh is not stated"
        return None
    if facility_kwh is None:
        reasons["carbon_g"] = "energy was not measured"
        return None
    return facility_kwh * accounting.carbon_g_per_kwh


def _money(
    costs: Costs, facility_kwh: float | None, accounting: Accounting | None, cpus: float, reasons: dict[str, str]
) -> float | None:
    stated = []
    if accounting is not None:
        gpu_h = None if costs.gpu_s is None else costs.gpu_s / 3600
        stated = [
            ("GPU time", accounting.price_per_gpu_h, gpu_h),
            ("CPU time", accounting.price_per_cpu_h, costs.wall_s / 3600 * cpus),
            ("energy", accounting.price_per_kwh, facility_kwh),
        ]
    stated = [(what, price, quantity) for what, price, quantity in stated if price is not None]
    if not stated:
        reasons["money"] = "no price is stated in accounting"
        return None
    missing = [what for what, _, quantity in stated if quantity is None]
    if missing:
        reasons["money"] = f"{' and '.join(missing)} was not measured, but has a price"
        return None
    return sum(price * quantity for _, price, quantity in stated if price is not None and quantity is not None)
