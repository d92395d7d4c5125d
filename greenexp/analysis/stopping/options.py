"""What can be chosen in the simulation of early stopping."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from greenexp.analysis.stopping.recorded_objectives import COSTS
from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.errors import InputError
from greenexp.records.axes import AXES, EPOCHS
from greenexp.schedulers import SCHEDULERS, compares_objectives, scheduler_names
from greenexp.schedulers.resource import Resource
from greenexp.units import parse_quantity

TRIALS = 27
"""Units that a search begins where nobody says: 3 ^ 3, three full halvings by the usual reduction factor."""


def whole_trials(numbers: Sequence[float]) -> tuple[int, ...]:
    """Numbers of units, or of seeds, as whole numbers. InputError if one is not."""
    if any(number != int(number) for number in numbers):
        raise InputError("numbers of trials and of seeds must be whole numbers, such as 9, 27, 81")
    return tuple(int(number) for number in numbers)


@dataclass(frozen=True, slots=True)
class StoppingOptions:
    """How searches are simulated; InputError for what is not possible.

    schedulers: names; None: all that these curves allow. Those that compare several objectives need curves that have
        some
    trials: numbers of units that a search begins, None: TRIALS, or as many as there are; workers: units trained at a
        time
    grace_period: parts of a schedule before the first rung; first_level: instead of it, what a trial has used at the
        first rung, on the axis that the curves' costs are on, a number or a quantity such as `2 TFLOP`; then rungs are
        levels of that axis; reduction_factor: one of this number of units goes on at a rung; epsilon: two scores that
        differ by at most this much count as equal, of schedulers with such a field (pasha needs it where rungs are
        costs); None: what each scheduler has by default
    rung_seeds: seeds of a configuration at the first rung, the second, ..., of schedulers that have such a field; None:
        all at every rung
    repeats: searches behind each number; replace: draw units with replacement; seed: of the draws
    best_so_far: whether the best score at each cost is wanted too, a fifth of the work
    """

    schedulers: tuple[str, ...] | None = None
    trials: tuple[int, ...] | None = None
    workers: int = 1
    grace_period: int | None = None
    first_level: float | str | None = None
    epsilon: float | None = None
    reduction_factor: float | None = None
    rung_seeds: tuple[int, ...] | None = None
    repeats: int = 500
    replace: bool = True
    seed: int = 0
    best_so_far: bool = True

    def __post_init__(self) -> None:
        for name in self.schedulers or ():
            SCHEDULERS[name]  # one that is unknown raises the error that names the nearest
        numbers = {"workers": (self.workers,), "repeats": (self.repeats,), "trials": self.trials or ()}
        for what, values in numbers.items():
            wrong = [value for value in values if value != int(value) or value < 1]
            if wrong:
                raise InputError(f"{what} must be whole numbers of at least 1, received {wrong[0]:g}")
        if self.first_level is not None and self.grace_period is not None:
            raise InputError("give either grace_period, in parts of a schedule, or first_level, which is a cost")
        if self.epsilon is not None and not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise InputError(f"epsilon must be a difference of scores of at least 0, received {self.epsilon:g}")
        if self.schedulers is not None and not self.schedulers:
            raise InputError("name at least one scheduler to simulate")

    def sections(self, curves: RecordedCurves) -> dict[str, Mapping[str, Any]]:
        """Scheduler -> its section of a sweep file; those that stop no trial come first, then in alphabetical order."""
        if self.schedulers is not None:
            names = tuple(dict.fromkeys(self.schedulers))
            self._refuse_one_objective(names, curves)
        else:
            full = scheduler_names(lambda kind: not kind.stops)
            seeds = curves.seeds > 1
            able = scheduler_names(lambda kind: kind.stops and (seeds or not kind.needs_seeds))
            several = bool(curves.objectives)
            names = (*full, *(name for name in able if several or not compares_objectives(SCHEDULERS[name])))
        if self.first_level is not None:
            names = self._on_costs(names, curves)
        return {name: {"name": name, **self._settings(name, curves)} for name in names}

    @staticmethod
    def _refuse_one_objective(names: Sequence[str], curves: RecordedCurves) -> None:
        wrong = [name for name in names if not curves.objectives and compares_objectives(SCHEDULERS[name])]
        if wrong:
            raise InputError(
                f"schedulers: {wrong[0]} compares several objectives, and these curves have the score alone: name "
                f"costs besides it with objectives, columns of a table, or of a sweep some of {', '.join(COSTS)}"
            )

    def _on_costs(self, names: Sequence[str], curves: RecordedCurves) -> tuple[str, ...]:
        """Those whose rungs may be costs, and those without rungs. InputError for others that were named."""
        axes = [axis for axis in get_args(Resource) if axis != EPOCHS]
        if curves.cost_axis not in axes:
            has = f"on {curves.cost_axis}" if curves.cost_axis else "on no budget axis"
            raise InputError(f"first_level: the costs of these curves are {has}: set cost to {', '.join(axes)}")
        try:
            parse_quantity(self.first_level or 0.0, AXES[curves.cost_axis].unit)
        except ValueError as error:
            raise InputError(f"first_level: {error}") from error
        fit = {name for name in names if not SCHEDULERS[name].stops or "resource" in _fields(name)}
        wrong = [name for name in names if name not in fit]
        if wrong and self.schedulers is not None:
            able = ", ".join(scheduler_names(lambda kind: "resource" in {one.name for one in dataclasses.fields(kind)}))
            raise InputError(f"first_level: rungs of {wrong[0]} are no costs; those of {able} may be")
        return tuple(name for name in names if name in fit)

    def _settings(self, name: str, curves: RecordedCurves) -> dict[str, Any]:
        on_costs = {} if self.first_level is None else {"resource": curves.cost_axis, "grace_period": self.first_level}
        given = {
            "reduction_factor": self.reduction_factor,
            "grace_period": self.grace_period,
            "epsilon": self.epsilon,
            "seeds": None if self.rung_seeds is None else list(self.rung_seeds),
            **on_costs,
        }
        return {key: value for key, value in given.items() if value is not None and key in _fields(name)}


def _fields(name: str) -> set[str]:
    return {field.name for field in dataclasses.fields(SCHEDULERS[name])}
