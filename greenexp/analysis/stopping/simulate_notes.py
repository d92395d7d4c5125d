"""What a simulation presumed, in sentences with its own numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from greenexp.analysis.stopping.simulate import Settings, Simulation, cost_axis, fresh_scheduler
from greenexp.analysis.stopping.simulate_fronts import final_points, reference_in_words
from greenexp.records.axes import AXES
from greenexp.schedulers import Rung, holds_seeds, scheduler_of
from greenexp.units import format_quantity


def simulation_notes(simulation: Simulation, schedulers: Mapping[str, Settings]) -> tuple[str, ...]:
    """Assumptions and settings; schedulers: as given to `simulate`."""
    curves = simulation.curves
    units, parts = curves.scores.shape
    costs = curves.full_cost
    how = "with" if simulation.replace else "without"
    estimator = "V(n)" if simulation.replace else "U(n)"
    notes = [
        (
            f"Each number is a mean over {simulation.repeats} searches drawn {how} replacement from {units} recorded "
            "units; errors are those of the simulation, and do not say how another sample of units would differ."
        ),
        "The recorded units are taken for independent draws of one search, each recorded to the end of its schedule.",
        (
            f"A schedule has {parts} part{'s' if parts > 1 else ''}, each ending at the first recorded point at or "
            f"after it; a full run costs {costs.min():.6g} to {costs.max():.6g}, {costs.mean():.6g} on average."
        ),
        (
            f"Full search is exact: {estimator} of the final scores at n x the mean cost. Between two whole n it is "
            "the straight line, that of a search that makes n or n + 1 full runs by the toss of a coin."
        ),
    ]
    trials = int(simulation.searches["trials"].max())
    for label, settings in schedulers.items():
        notes.append(f"{label}: {_rungs(simulation, settings, trials)}")
    if simulation.workers > 1:
        at_once = [label for label, settings in schedulers.items() if _decides_at_once(settings)]
        depends = f", on which {' and '.join(at_once)} depend{'s' * (len(at_once) == 1)}," if at_once else ""
        notes.append(
            f"{simulation.workers} workers are equally fast and take as much time as a stretch costs; that decides the "
            f"order of reports{depends} and how much is spent before a first result."
        )
    notes += _on_fronts(simulation)
    if curves.seeds > 1:
        notes.append(
            f"A unit is a configuration with {curves.seeds} seeds: its score is their mean, its cost their sum."
        )
        if any(map(holds_seeds, schedulers.values())):
            notes.append(
                "Seeds that a scheduler holds back are trained one after the other, by the free workers, in the order "
                "in which the record names them. Their best score so far may be a mean over few seeds, and is then "
                "too good by more noise than a final score."
            )
    return tuple(notes)


def _on_fronts(simulation: Simulation) -> list[str]:
    """What is to be known of several objectives; nothing where the score is the only one."""
    curves, final = simulation.curves, final_points(simulation.curves, replace=simulation.replace)
    if final is None:
        return []
    note = (
        f"Objectives: the score and {', '.join(curves.objectives)}, of which less is better. Hypervolumes are of units "
        "trained to their end, up to the worst final value of each objective among all recorded units "
        f"({reference_in_words(curves, final)}). Schedulers that compare one objective compare the score."
    )
    return [note, f"Hypervolumes are missing: {final.refusal}."] if final.refusal else [note]


def _decides_at_once(settings: Settings) -> bool:
    """Whether who goes on depends on the order in which units come to a rung."""
    scheduler = scheduler_of(settings)
    return scheduler.stops and not scheduler.needs_size


def _rungs(simulation: Simulation, settings: Settings, trials: int) -> str:
    """Where a search of `trials` units is judged."""
    if axis := cost_axis(settings):
        first, eta = scheduler_of(settings), dataclasses.asdict(scheduler_of(settings)).get("reduction_factor")
        level = format_quantity(float(getattr(first, "grace_period", math.nan)), AXES[axis].unit)
        further = "its multiples" if eta is None else f"{eta:g} times as much each"
        return f"judged at the first part by whose end a trial has used {level} of {axis}, and then {further}."
    rungs: dict[tuple[str, ...], list[float]] = {}
    for bracket in fresh_scheduler(simulation.curves, settings, trials).bracket_plan():
        rungs.setdefault(tuple(map(_rung, bracket.rungs)), []).append(bracket.units)
    total = simulation.curves.scores.shape[1]
    parts = [
        f"{int(np.sum(sizes))} units judged after {_listed(ends)} of {total} parts"
        if ends
        else f"{int(np.sum(sizes))} units never judged"
        for ends, sizes in rungs.items()
    ]
    return f"of {trials} units begun, " + ", ".join(parts) + "."


def _listed(ends: tuple[str, ...]) -> str:
    """`1 and 3 and 9`; of more than three without a gap, `each from 1 to 8`."""
    whole = [int(end) for end in ends if end.isdigit()]
    if len(whole) == len(ends) > 3 and whole == list(range(whole[0], whole[-1] + 1)):
        return f"each from {ends[0]} to {ends[-1]}"
    return " and ".join(ends)


def _rung(rung: Rung) -> str:
    return f"{rung.epoch}" + (f" (with {rung.seeds} seed{'s' * (rung.seeds > 1)})" if rung.seeds else "")
