"""Carbon and money of measured costs, or why there is none: a part that was not measured leaves no total."""

from __future__ import annotations

import dataclasses

from greenexp.records.epoch import Costs
from greenexp.records.sections import Accounting
from greenexp.spec.accounting import CPU_TIME, ENERGY, GPU_TIME, NO_CARBON_FACTOR, NO_PRICE, carbon_g, money, priced


def price_costs(costs: Costs, accounting: Accounting | None, *, cpus: float) -> tuple[Costs, dict[str, str]]:
    """`costs` with `carbon_g` and `money` filled in, and for each that stays None the reason.

    By the rules of `greenexp.spec.accounting`. cpus: CPU cores assigned to the trial, paid for as long as it runs.
    """
    factors = accounting or Accounting()
    reasons: dict[str, str] = {}
    grams = None if costs.energy_j is None else carbon_g(costs.energy_j, factors)
    if grams is None:
        reasons["carbon_g"] = NO_CARBON_FACTOR if factors.carbon_g_per_kwh is None else "energy was not measured"
    amounts = {GPU_TIME: costs.gpu_s, CPU_TIME: costs.wall_s * cpus, ENERGY: costs.energy_j}
    measured = {what: amount for what, amount in amounts.items() if amount is not None}
    missing = [what for what in priced(factors) if what not in measured]
    paid = None
    if not priced(factors):
        reasons["money"] = NO_PRICE
    elif missing:
        reasons["money"] = f"{' and '.join(missing)} was not measured, but has a price"
    else:
        paid = money(measured, factors)
    return dataclasses.replace(costs, carbon_g=grams, money=paid), reasons
