"""When one more configuration is not worth its cost: what a user would pay for a gain, and in what it is paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from greenexp.records.history import LimitReached


@dataclass(frozen=True, slots=True)
class Payment:
    """What gains are paid in.

    axis: the budget axis, "" for configurations; amount: of that axis's unit in one of it; title: in a sentence
    """

    axis: str
    amount: float
    title: str


PAYMENTS: Mapping[str, Payment] = {
    "configuration": Payment("", 1.0, "configuration"),
    "kWh": Payment("energy_j", 3.6e6, "kWh"),
    "worker_h": Payment("wall_s", 3600.0, "hour of a worker"),
    "gpu_h": Payment("gpu_s", 3600.0, "hour of a GPU"),
    "cpu_h": Payment("cpu_s", 3600.0, "CPU hour"),
    "TFLOP": Payment("train_flops", 1e12, "TFLOP of training"),
    "PFLOP": Payment("train_flops", 1e15, "PFLOP of training"),
    "EFLOP": Payment("train_flops", 1e18, "EFLOP of training"),
    "kg": Payment("carbon_g", 1e3, "kg CO2e"),
    "money": Payment("money", 1.0, "unit of money"),
}
"""What `budget.worth.per` may be."""
WORTH = "worth"
"""What a reached limit of this kind names in place of an axis."""


def worth_reached(limit: LimitReached, per: str) -> str:
    """A clause on a limit of this kind: what the next configuration is expected to gain, and what was asked for."""
    title = PAYMENTS[per].title
    return (
        f"the next configuration is expected to gain {limit.used:.2g} per {title}, less than the {limit.limit:g} asked"
    )
