"""Schedulers: who trains on after a rung. Pure: plain values in, decisions out; no torch, Ray, MLflow, clock or RNG.

`build` makes a running scheduler over trials from a sweep file's `scheduler` section. To add one: a frozen dataclass
in `<name>.py` (fields = settings, docstring = card) whose `start` returns a `base.UnitScheduler`, and a line in
SCHEDULERS; `seed_groups` does the rest (seeds, failures, repeated reports, state). Third parties register theirs under
the entry point group `greenexp.schedulers`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from greenexp.errors import InputError, did_you_mean
from greenexp.records.axes import EPOCHS
from greenexp.records.objectives import SCORE
from greenexp.registry import Registry
from greenexp.schedulers.base import GrowsSeeds, Mode, Scheduler, SchedulerSettings, compares_objectives
from greenexp.schedulers.brackets import Bracket, ExpectedEpochs, Rung
from greenexp.schedulers.cost_groups import CostGroups, resource_of
from greenexp.schedulers.seed_groups import SeedGroups

__all__ = [
    "DEFAULT",
    "SCHEDULERS",
    "Bracket",
    "ExpectedEpochs",
    "Mode",
    "Rung",
    "Scheduler",
    "SchedulerSettings",
    "build",
    "build_over_units",
    "compares_objectives",
    "holds_seeds",
    "resource_of",
    "scheduler_names",
    "scheduler_of",
]

SCHEDULERS: Registry[type[SchedulerSettings]] = Registry(
    "scheduler",
    {
        "asha": "greenexp.schedulers.asha:Asha",
        "asha_promotion": "greenexp.schedulers.asha_promotion:AshaPromotion",
        "fifo": "greenexp.schedulers.fifo:Fifo",
        "hyperband": "greenexp.schedulers.hyperband:Hyperband",
        "median": "greenexp.schedulers.median:Median",
        "mo_halving": "greenexp.schedulers.mo_halving:MoHalving",
        "one_epoch": "greenexp.schedulers.one_epoch:OneEpoch",
        "pasha": "greenexp.schedulers.pasha:Pasha",
        "seed_racing": "greenexp.schedulers.seed_racing:SeedRacing",
        "sha": "greenexp.schedulers.sha:Sha",
    },
    group="greenexp.schedulers",
)
DEFAULT = "fifo"
"""The scheduler of a section without a name."""


def build(
    settings: Mapping[str, Any],
    *,
    max_epochs: int,
    groups: Mapping[str, Sequence[str]],
    mode: Mode,
    later: float = 0,
    reports_per_epoch: int = 1,
    objectives: Sequence[str] = (SCORE,),
) -> Scheduler:
    """The running scheduler of the section `settings` (`{"name": "asha", "reduction_factor": 3}`) over trials.

    max_epochs: epochs of a full trial; reports_per_epoch: how often a trial reports within one
    groups: configuration -> its trials, in plan order; later: how many configurations may `enter` it, may be infinite
    mode: which values are better; objectives: of the sweep, the score first, whose better values `mode` names
    Raises UnknownNameError, or InputError for wrong settings and for a scheduler that could never stop anything.
    """
    if not groups:
        raise InputError("a scheduler needs at least one configuration")
    name, chosen = _chosen(settings, mode)
    if math.isinf(later) and chosen.needs_size:
        raise InputError(f"scheduler {name} must know how many configurations there will be, and the search does not")
    if later and chosen.needs_seeds:
        raise InputError(f"scheduler {name} needs all configurations at the start: none can come later")
    costs = tuple(objective for objective in objectives if objective != SCORE)
    if not costs:
        _refuse_one_objective(name, chosen)
    kind = SeedGroups if resource_of(chosen) == EPOCHS else CostGroups
    return kind(
        name,
        chosen,
        groups,
        max_epochs=max_epochs,
        mode=mode,
        later=later,
        reports_per_epoch=reports_per_epoch,
        objectives=costs,
    )


def build_over_units(settings: Mapping[str, Any], *, units: Sequence[str], resource: int, mode: Mode) -> Scheduler:
    """The same rule where each unit is one trial and the resource, at most `resource`, is what the caller counts.

    `analysis.stopping.simulate` counts equal parts of a run's own schedule. Raises as `build` does.
    """
    name, chosen = _chosen(settings, mode)
    _refuse_one_objective(name, chosen)
    if resource_of(chosen) != EPOCHS:
        raise InputError(f"scheduler {name}: resource must be {EPOCHS} here, where equal parts of a run are counted")
    return SeedGroups(name, chosen, {unit: [unit] for unit in units}, max_epochs=resource, mode=mode)


def scheduler_of(settings: Mapping[str, Any]) -> SchedulerSettings:
    """The scheduler of a sweep file's section, with its settings checked. Raises as `build` does."""
    return _chosen(settings, "max")[1]


def holds_seeds(settings: Mapping[str, Any]) -> bool:
    """Whether the scheduler of a section counts seeds at its rungs, so that it must be asked about single seeds."""
    chosen = scheduler_of(settings)
    return chosen.needs_seeds or (isinstance(chosen, GrowsSeeds) and chosen.seeds is not None)


def scheduler_names(condition: Callable[[type[SchedulerSettings]], bool]) -> tuple[str, ...]:
    """The schedulers for which `condition` holds, in alphabetical order; a plug-in that cannot be loaded is left out.

    For example, `scheduler_names(lambda kind: not kind.stops)` are those that stop no trial.
    """
    names = []
    for name in SCHEDULERS:
        with contextlib.suppress(ImportError, AttributeError):
            if condition(SCHEDULERS[name]):
                names.append(name)
    return tuple(names)


def _chosen(settings: Mapping[str, Any], mode: Mode) -> tuple[str, SchedulerSettings]:
    if mode not in ("max", "min"):
        raise InputError(f"metric mode must be max or min, got {mode!r}")
    name = settings.get("name", DEFAULT)
    return name, _settings(name, {key: value for key, value in settings.items() if key != "name"})


def _refuse_one_objective(name: str, chosen: SchedulerSettings) -> None:
    if compares_objectives(chosen):
        others = ", ".join(scheduler_names(lambda kind: kind.stops and not compares_objectives(kind)))
        raise InputError(
            f"scheduler {name} compares configurations by several objectives, and here the score is the only one: name "
            "at least two in the sweep file, such as objectives: [score, inference_flops]; or choose a scheduler that "
            f"compares scores ({others})"
        )


@cache
def _adapter(kind: type[SchedulerSettings]) -> TypeAdapter[SchedulerSettings]:
    """Building one takes longer than all else here, and a price builds hundreds of schedulers."""
    return TypeAdapter(kind)


def _settings(name: str, values: Mapping[str, Any]) -> SchedulerSettings:
    """The settings dataclass with its fields checked; all problems in one InputError."""
    kind = SCHEDULERS[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    allowed = ", ".join(fields) or "none"
    problems = [
        f"unknown setting '{key}'{did_you_mean(key, fields)} (allowed: {allowed})"
        for key in values
        if key not in fields
    ]
    try:
        chosen = _adapter(kind).validate_python({key: values[key] for key in values if key in fields})
    except ValidationError as error:
        problems += [f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}" for e in error.errors()]
    if problems:
        raise InputError(f"scheduler {name}: " + "; ".join(problems))
    return chosen
