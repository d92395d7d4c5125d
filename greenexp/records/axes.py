"""Budget axes: everything a sweep can be limited by, priced in, or drawn over.

One row per axis. Limits, prices, curves, reports and listings iterate over this table; to add an axis, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from greenexp.units import format_quantity

EPOCHS: Final = "epochs"


@dataclass(frozen=True, slots=True)
class BudgetAxis:
    """One way of counting what a sweep costs.

    name: in a sweep file's `budget:` and in every table; unit: `s`, `J`, `FLOP`, `g`, or `` for a count
    title: for a figure's axis; per: `trial` or `epoch`, what it is added up over
    about: one line for listings; summed: what the sum over trials is called where it is another thing than `title`
    """

    name: str
    unit: str
    title: str
    per: str
    about: str
    summed: str = ""

    @property
    def sum_title(self) -> str:
        """What a figure calls the sum over trials: two workers hold two seconds of worker time per elapsed second."""
        return self.summed or self.title


_ROWS = (
    BudgetAxis("trials", "", "Trials", "trial", "trials started, whether or not they were stopped early"),
    BudgetAxis("epochs", "", "Epochs", "epoch", "training epochs of all trials together"),
    BudgetAxis(
        "wall_s", "s", "Wall clock", "epoch", "elapsed seconds; of a trial: seconds it held a worker", "Worker time"
    ),
    BudgetAxis("gpu_s", "s", "GPU time", "epoch", "seconds x GPUs assigned to a trial"),
    BudgetAxis("cpu_s", "s", "CPU time", "epoch", "CPU seconds of the worker processes, all threads"),
    BudgetAxis("train_flops", "FLOP", "Training FLOPs", "epoch", "analytic training FLOPs (1 multiply-add = 2)"),
    BudgetAxis("energy_j", "J", "Energy", "epoch", "measured energy: GPU counter and CPU package where readable"),
    BudgetAxis("carbon_g", "g", "CO2e", "epoch", "energy x PUE x the stated grams per kWh"),
    BudgetAxis("money", "money", "Money", "epoch", "worker time and energy x the stated prices"),
)


class _Axes(Mapping[str, BudgetAxis]):
    """The table above, by name, in its order."""

    def __init__(self, rows: tuple[BudgetAxis, ...]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> BudgetAxis:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


AXES: Mapping[str, BudgetAxis] = _Axes(_ROWS)


def rung_name(resource: str, level: float) -> str:
    """Where a rung lies, for people: `epoch 3`, or on another axis `20 TFLOP train_flops`."""
    if resource == EPOCHS:
        return f"epoch {level:.4g}"
    return f"{format_quantity(level, AXES[resource].unit)} {resource}"
