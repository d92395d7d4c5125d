"""The study of early stopping: what schedulers would have found and cost, over recorded full curves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.stopping.one_look import one_look
from greenexp.analysis.stopping.options import TRIALS, StoppingOptions
from greenexp.analysis.stopping.simulate import Simulation, fresh_scheduler, simulate
from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.analysis.stopping.simulate_notes import simulation_notes
from greenexp.analysis.stopping.simulate_saving import full_search
from greenexp.errors import InputError
from greenexp.schedulers import SCHEDULERS, scheduler_of

TITLES = {
    "searches": "What a search finds and costs under each scheduler, beside training every unit to its end",
    "best_so_far": "Best score reported by the time that a cost was spent",
    "one_look": "One look after a part of the schedule, after which the best share goes on, exactly",
    "fronts": "What the front of a search is worth under each scheduler: hypervolume of the units trained to their end",
    "front_so_far": "Hypervolume of the units trained to their end by the time that a cost was spent",
    "front": "The front of all recorded units; by scheduler, the share of searches with it that trained it to its end",
    "full": "Training every unit to its end: expected best score and cost of n units",
    "settings": "Settings of the schedulers",
}
Sections = Mapping[str, Mapping[str, Any]]


def stopping_study(curves: RecordedCurves, options: StoppingOptions | None = None) -> Findings:
    """Searches drawn from recorded full curves, run under each scheduler, beside training everything.

    Parameters
    ----------
    curves : RecordedCurves, required
        Curves of units that were all trained to their end.
    options : StoppingOptions, default StoppingOptions()
        Which schedulers, and how to draw. Without named schedulers, those that could stop no unit of these curves are
        left out, with a note.

    Returns
    -------
    Findings
        The tables searches (a row per scheduler and number of units begun: `simulate.SEARCHES`), best_so_far
        (`simulate.BEST_SO_FAR`), fronts, front_so_far and front (of curves with several objectives; see
        `simulate.Simulation`), one_look (`one_look.one_look`), full (trials, expected_best, cost of full training)
        and settings. A refusal where every scheduler that stops units is left out.

    Raises
    ------
    InputError
        For more units than there are, for a named scheduler that could stop no unit, and for one that needs seeds where
        there are none.

    """
    options = options or StoppingOptions()
    trials = options.trials or (min(TRIALS, len(curves.units)),)
    sections, left_out = _possible(curves, options, trials)
    if left_out and not any(SCHEDULERS[name].stops for name in sections):
        return Findings(refusal="; ".join(left_out))
    try:
        simulation = simulate(
            curves,
            sections,
            trials,
            rng=np.random.default_rng(options.seed),
            workers=options.workers,
            repeats=options.repeats,
            replace=options.replace,
            budgets=None if options.best_so_far else (),
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    full = full_search(curves, replace=options.replace)
    columns = {"trials": np.arange(1, len(full) + 1), "expected_best": full[:, 0], "cost": full[:, 1]}
    return Findings(
        verdict=_verdict(simulation),
        tables={
            "searches": simulation.searches,
            "best_so_far": simulation.best_so_far,
            **_fronts(simulation),
            "one_look": one_look(curves, trials, options.reduction_factor) if options.replace else pd.DataFrame(),
            "full": pd.DataFrame(columns),
            "settings": _settings(sections),
        },
        titles=TITLES,
        notes=(*curves.remarks, *left_out, *simulation_notes(simulation, sections)),
    )


def _possible(curves: RecordedCurves, options: StoppingOptions, trials: tuple[int, ...]) -> tuple[Sections, list[str]]:
    """The sections to simulate, and notes on those left out; of named schedulers none is left out."""
    sections = options.sections(curves)
    if options.schedulers is not None or max(trials) > len(curves.units):
        return sections, []
    possible, notes = {}, []
    for name, section in sections.items():
        try:
            for number in trials:
                fresh_scheduler(curves, section, number)
        except InputError as error:
            notes.append(f"{name} is left out: {error}")
        else:
            possible[name] = section
    return possible, notes


def _verdict(simulation: Simulation) -> tuple[str, ...]:
    """What each scheduler that stops units comes to, in the words of full training."""
    rows = simulation.searches.to_dict("records")
    several = len({row["trials"] for row in rows}) > 1
    best = [stopping_sentence(row, with_trials=several) for row in rows if SCHEDULERS[str(row["scheduler"])].stops]
    known = simulation.fronts.dropna(subset="share_of_all")
    fronts = [row for row in known.to_dict("records") if SCHEDULERS[str(row["scheduler"])].stops]
    return (*best, *map(front_sentence, fronts))


def stopping_sentence(row: Mapping[Any, Any], *, with_trials: bool = False) -> str:
    """One sentence on a row of the table searches. with_trials: name the number of units that the search begins."""
    title = SCHEDULERS[str(row["scheduler"])].title
    begun = f" with {row['trials']} units begun" if with_trials else ""
    if row["no_saving"]:
        return (
            f"{title}{begun} finds {row['expected_best']:.4g} on average; no number of full runs compares, as "
            f"{row['no_saving']}."
        )
    ends = [1 - row["saved_high"], 1 - row["saved_low"]]
    interval = "" if any(map(math.isnan, ends)) else f" ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)"
    return (
        f"{title}{begun} reaches the expected best of {row['equal_trials']:.3g} full runs, {row['expected_best']:.4g}, "
        f"at {100 * (1 - row['saved']):.0f} % of their cost{interval}."
    )


def _fronts(simulation: Simulation) -> dict[str, pd.DataFrame]:
    """The tables of fronts, of curves with several objectives."""
    if not simulation.curves.objectives:
        return {}
    return {"fronts": simulation.fronts, "front_so_far": simulation.front_so_far, "front": simulation.front}


def front_sentence(row: Mapping[Any, Any]) -> str:
    """One sentence on a row of the table fronts."""
    title, share = SCHEDULERS[str(row["scheduler"])].title, 100 * row["share_of_all"]
    gives = f"{title}: the front of {row['trials']} units begun has {share:.3g} % of the hypervolume of all units"
    if row["no_saving"]:
        return (
            f"{gives}, at {100 * row['share_of_full']:.0f} % of the cost of training all {row['trials']} to their end."
        )
    return f"{gives}, that of {row['equal_trials']:.3g} full runs, at {100 * (1 - row['saved']):.0f} % of their cost."


def _settings(sections: Sections) -> pd.DataFrame:
    """A row per scheduler, a column per setting that any of them has, with its value."""
    rows = [{"scheduler": name, **dataclasses.asdict(scheduler_of(section))} for name, section in sections.items()]
    return pd.DataFrame(rows)
