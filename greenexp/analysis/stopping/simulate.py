"""What a scheduler would have given: searches simulated over recorded full curves.

A search draws t of the N recorded units, with replacement (or without), and runs them under the very scheduler that a
sweep would use (`greenexp.schedulers`), W workers at a time. Its result is the final score of the best unit that it
trained to the end; its cost is everything that was trained. Both are averaged over repeats. All schedulers see the same
draws.

    expected best   V(t) + mean over R searches of (b - f),  standard error = s(b - f) / sqrt(R)
    best so far(B)   mean over searches of the best value reported by the time all workers together had spent B

    expected cost   t x mean full cost x (sum of c / sum of g),  standard error by the delta method

b is the best final score among the units a search trained to the end, f that of all t units it drew, whose expectation
V(t) is known exactly (below); c is what the search cost, g what training all t would have cost. A control variate and
a ratio, which take most of the noise of the draws away.

The recorded units are the population here: the standard errors are those of the simulation alone, and go to 0 with more
repeats. They do not say how another sample of N units would differ.

What stopping nobody would have given is known without drawing: V(n), the expected best of n draws with replacement
(U(n) without), at n times the mean cost (`full_search`). The cost at which it comes to the same expected best is read
off the straight line between two whole n, which is exact for a search that makes n or n + 1 full runs by the toss of a
coin: its expected best and its expected cost both lie on that line.

    saved = 1 - E[cost] / cost of full search with the same expected best

For one rung and scores so far the expectation has a closed form, `analysis.early_stopping_cdf`.

Sources: Li et al. 2018 (JMLR 18, 185), section 3, and Jamieson and Talwalkar 2016 for the rules; resampling recorded
trials for what a budget gives: Dodge et al. 2020, "Fine-Tuning Pretrained Language Models", section 5. Assumptions: the
recorded units are independent draws of one search; a unit's curve does not depend on how it is scheduled; workers are
equally fast, and time passes as cost does (it decides only the order of reports, which matters
to a scheduler that decides at once).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.analysis.stopping.simulate_fronts import (
    FRONT_SO_FAR,
    FRONTS,
    FinalPoints,
    SearchFronts,
    final_points,
    front_table,
    told_objectives,
)
from greenexp.analysis.stopping.simulate_saving import equal_result, full_search, mean_and_error
from greenexp.analysis.stopping.simulate_search import Search, run_search
from greenexp.analysis.stopping.simulate_seeds import best_mean_so_far, finished_units, seed_places
from greenexp.records.arrays import Floats
from greenexp.records.axes import EPOCHS
from greenexp.records.objectives import SCORE, ObjectiveCosts
from greenexp.schedulers import Scheduler, build, holds_seeds, resource_of, scheduler_of

Settings = Mapping[str, Any]
_BUDGETS = 12

SEARCHES = (
    "scheduler", "trials", "expected_best", "error", "cost", "cost_error", "share_of_full", "finished", "duration",
    "equal_trials", "equal_cost", "saved", "saved_low", "saved_high", "no_saving",
)  # fmt: skip
BEST_SO_FAR = ("scheduler", "trials", "budget", "expected_best", "error", "reported")


@dataclass(frozen=True)
class Simulation:
    """Schedulers side by side.

    searches: a row per scheduler and number of units begun (`trials`): expected_best and its standard error; cost and
        its standard error; share_of_full, cost over that of training all of them; finished, mean number trained to the
        end; duration, in cost per worker; equal_trials, equal_cost: of a full search with the same expected best; saved
        and saved_low, saved_high, with expected best and cost 2 standard errors worse and better; no_saving: why
        there is none, or ""
    best_so_far: a row per scheduler, number begun and cost B: expected_best, error over the searches that had reported
        a value by then; reported, their share
    curves: what was drawn from; repeats: searches behind each row; workers; replace: drawn with replacement
    fronts, front_so_far, front: where the curves have several objectives, what the fronts of searches are worth
        (`simulate_fronts.FRONTS`, `FRONT_SO_FAR`), and the front of all recorded units (`front_table`), of the largest
        of `trials`; else empty
    """

    searches: pd.DataFrame
    best_so_far: pd.DataFrame
    curves: RecordedCurves
    repeats: int
    workers: int
    replace: bool
    fronts: pd.DataFrame
    front_so_far: pd.DataFrame
    front: pd.DataFrame


def simulate(
    curves: RecordedCurves,
    schedulers: Mapping[str, Settings],
    trials: Sequence[int],
    *,
    rng: np.random.Generator,
    workers: int = 1,
    repeats: int = 500,
    replace: bool = True,
    budgets: Sequence[float] | None = None,
) -> Simulation:
    """Simulate searches of each of `trials` sizes under each scheduler.

    schedulers: label -> a sweep file's `scheduler` section; grace_period counts parts of a schedule (the curves' T),
        first_seeds and seeds count seeds; with a `resource`, rungs are costs and every part is a report;
        trials: t, units begun by a search, 1 to N
    budgets: costs at which the best score so far is read (default: 12 from one mean full run to t of them, at equal
        ratios; none: not read)
    Raises ValueError for impossible numbers, and for a scheduler that needs seeds where there are none;
    greenexp.errors.InputError where a scheduler could stop no trial.
    """
    _check(curves, schedulers, trials, workers, repeats)
    units, largest = len(curves.units), max(trials)
    if replace:
        draws = rng.integers(units, size=(repeats, largest))
    else:
        draws = np.argsort(rng.random((repeats, units)), axis=1)[:, :largest]
    full, mean_cost = full_search(curves, replace=replace), float(curves.full_cost.mean())
    final = final_points(curves, replace=replace)
    rows, lines, worth, worth_so_far = [], [], [], []
    fronts: dict[str, SearchFronts] = {}
    for size in trials:
        grid = np.geomspace(mean_cost, size * mean_cost, _BUDGETS) if budgets is None else np.asarray(budgets, float)
        for label, settings in schedulers.items():
            found = _searches(curves, settings, draws[:, :size], workers, grid, final)
            row = _summary(found, full, size, minimize=curves.minimize)
            rows.append({"scheduler": label, "trials": size, **row})
            lines.append(_best_so_far(label, size, grid, found.best_values))
            if found.fronts is not None:
                key = {"scheduler": label, "trials": size}
                fronts |= {label: found.fronts} if size == largest else {}
                worth.append({**key, **found.fronts.row(size, row)})
                worth_so_far += [{**key, **at} for at in found.fronts.so_far(grid)]
    return Simulation(
        pd.DataFrame(rows, columns=list(SEARCHES)),
        pd.concat(lines, ignore_index=True)[list(BEST_SO_FAR)],
        curves,
        repeats,
        workers,
        replace,
        pd.DataFrame(worth, columns=list(FRONTS)),
        pd.DataFrame(worth_so_far, columns=list(FRONT_SO_FAR)),
        pd.DataFrame() if final is None else front_table(curves, final, fronts),
    )


@dataclass(frozen=True)
class _Searches:
    """Arrays over R repeats: of the search, and (full_*) of training all units it drew; best_values: [R, B].

    fronts: of the same searches, where the curves have several objectives
    """

    best: Floats
    full_best: Floats
    cost: Floats
    full_cost: Floats
    finished: Floats
    duration: Floats
    best_values: Floats
    fronts: SearchFronts | None


def _searches(
    curves: RecordedCurves,
    settings: Settings,
    draws: NDArray[np.int64],
    workers: int,
    grid: Floats,
    final: FinalPoints | None,
) -> _Searches:
    scheduler = fresh_scheduler(curves, settings, draws.shape[1])
    values, costs = _seed_curves(curves, settings) if of_seeds(curves, settings) else _unit_curves(curves)
    told, fronts = _told(curves, settings, scheduler), None if final is None else SearchFronts(final)
    names = _names(draws.shape[1], values.shape[1])
    axis = cost_axis(settings)
    places = seed_places(() if axis else scheduler.bracket_plan(), values.shape[2], values.shape[1])
    rungs = range(1, values.shape[2]) if axis else sorted({int(part) for part, _ in places})
    fresh, sign = scheduler.state(), -1.0 if curves.minimize else 1.0
    numbers, best_values = np.empty((len(draws), 6)), np.empty((len(draws), grid.size))
    for row, drawn in enumerate(draws):
        scheduler.restore(fresh)
        flat = values[drawn].reshape(-1, values.shape[2]), costs[drawn].reshape(-1, values.shape[2])
        objectives = [one for unit in drawn for one in told[unit]] if told else ()
        search = run_search(scheduler, names, *flat, rungs, workers, axis, objectives)
        if fronts is not None:
            fronts.add(search, drawn, flat[1], grid)
        numbers[row] = _numbers(search, curves.final[drawn], curves.full_cost[drawn], flat[1], sign)
        if not grid.size:
            continue
        if values.shape[1] > 1:
            best = best_mean_so_far(search, sign * values[drawn], costs[drawn], places, grid)
        else:
            best = search.best_so_far(sign * flat[0], flat[1], grid)
        best_values[row] = sign * best
    best, full_best, cost, full_cost, finished, duration = numbers.T
    return _Searches(best, full_best, cost, full_cost, finished, duration, best_values, fronts)


def cost_axis(settings: Settings) -> str:
    """The budget axis on which the rungs of a section lie; "" where they lie at parts of a schedule."""
    axis = resource_of(scheduler_of(settings))
    return "" if axis == EPOCHS else axis


def of_seeds(curves: RecordedCurves, settings: Settings) -> bool:
    """Whether the scheduler is asked about single seeds: where it holds some back, or has rungs at costs."""
    return holds_seeds(settings) or bool(cost_axis(settings) and curves.seeds > 1)


def _unit_curves(curves: RecordedCurves) -> tuple[Floats, Floats]:
    """[N, 1, T] (values, costs) of configurations, each as one trial."""
    return curves.scores[:, None, :], curves.costs[:, None, :]


def _seed_curves(curves: RecordedCurves, settings: Settings) -> tuple[Floats, Floats]:
    """[N, S, T] (values, costs) of single seeds."""
    if curves.seed_scores is None or curves.seed_costs is None:
        raise ValueError(
            f"{settings['name']} needs the same number of seeds, at least 2, of every configuration: name the column "
            "that says which runs are seeds of one configuration"
        )
    return curves.seed_scores, curves.seed_costs


def _told(curves: RecordedCurves, settings: Settings, scheduler: Scheduler) -> list[list[Sequence[ObjectiveCosts]]]:
    """[N][S][T], what the scheduler is told of each unit's trials; [] where it compares the score alone."""
    if not scheduler.compares_objectives or curves.objective_costs is None:
        return []
    seeds = curves.seed_objective_costs if of_seeds(curves, settings) else curves.objective_costs[:, None]
    return [] if seeds is None else [told_objectives(curves, unit) for unit in seeds]


def _names(trials: int, seeds: int) -> list[str]:
    """The names of trials, by configuration and seed."""
    return [f"{place}-{seed}" for place in range(trials) for seed in range(seeds)]


def _numbers(search: Search, final: Floats, full_cost: Floats, costs: Floats, sign: float) -> tuple[float, ...]:
    """final, full_cost: of the configurations drawn; costs: [trials, T] of all their trials."""
    signed, finished = sign * final, finished_units(search, len(costs) // len(final))
    if not finished:
        raise ValueError("a simulated search trained no unit with all its seeds to the end, and chose none")
    return (
        sign * float(signed[finished].max()), sign * float(signed.max()), search.cost(costs),
        float(full_cost.sum()), len(finished), search.duration(costs),
    )  # fmt: skip


def _summary(found: _Searches, full: Floats, size: int, *, minimize: bool) -> dict[str, Any]:
    difference, error = mean_and_error(found.best - found.full_best)
    best = float(full[size - 1, 0]) + difference
    share = float(found.cost.sum() / found.full_cost.sum())
    _, share_error = mean_and_error((found.cost - share * found.full_cost) / found.full_cost.mean())
    cost, cost_error = share * float(full[size - 1, 1]), share_error * float(full[size - 1, 1])
    return {
        "expected_best": best,
        "error": error,
        "cost": cost,
        "cost_error": cost_error,
        "share_of_full": share,
        "finished": float(found.finished.mean()),
        "duration": float(found.duration.mean()),
        **equal_result(full, best, error, cost, cost_error, minimize=minimize),
    }


def _best_so_far(label: str, size: int, grid: Floats, best_values: Floats) -> pd.DataFrame:
    rows = []
    for budget, column in zip(grid, best_values.T, strict=True):
        there = column[~np.isnan(column)]
        best, error = mean_and_error(there) if there.size else (math.nan, math.nan)
        rows.append((label, size, float(budget), best, error, there.size / column.size))
    return pd.DataFrame(rows, columns=list(BEST_SO_FAR))


def _check(
    curves: RecordedCurves,
    schedulers: Mapping[str, Settings],
    trials: Sequence[int],
    workers: int,
    repeats: int,
) -> None:
    if not schedulers or not trials:
        raise ValueError("name at least one scheduler and one number of trials")
    for what, number in (("workers", workers), ("repeats", repeats), *(("trials", size) for size in trials)):
        if number < 1:
            raise ValueError(f"{what} must be at least 1, received {number}")
    if max(trials) > len(curves.units):
        raise ValueError(
            f"searches of {max(trials)} cannot be drawn from {len(curves.units)} recorded units: nothing is known "
            "about more draws than were made"
        )


def fresh_scheduler(curves: RecordedCurves, settings: Settings, trials: int) -> Scheduler:
    """The scheduler as `simulate` runs it over `trials` configurations, each one trial unless it is asked about seeds.

    Raises as `simulate` does.
    """
    seeds = _seed_curves(curves, settings)[0].shape[1] if of_seeds(curves, settings) else 1
    names = _names(trials, seeds)
    groups = {str(place): names[place * seeds : (place + 1) * seeds] for place in range(trials)}
    return build(
        settings,
        max_epochs=curves.scores.shape[1],
        groups=groups,
        mode="min" if curves.minimize else "max",
        objectives=(SCORE, *curves.objectives),
    )
