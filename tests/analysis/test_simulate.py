"""Simulated searches against closed forms, brute force, a plain loop and a published kind of study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sweeps import sweep
from simulated import made, rows

from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.stopping.early_stopping import early_stopping_cdf
from greenexp.analysis.stopping.simulate import simulate
from greenexp.analysis.stopping.simulate_curves import RecordedCurves, recorded_curves, sweep_points
from greenexp.analysis.stopping.simulate_notes import simulation_notes
from greenexp.analysis.stopping.simulate_saving import equal_result
from greenexp.analysis.stopping.simulate_search import run_search
from greenexp.errors import InputError
from greenexp.records.decision import Action
from greenexp.schedulers import build, build_over_units

SHA = {"name": "sha"}
NAMES = ("fifo", "sha", "asha", "hyperband", "asha_promotion", "median", "one_epoch", "pasha")
ALL = {name: {"name": name} for name in NAMES}


@pytest.mark.parametrize(("trials", "eta"), [(9, 3), (7, 2), (4, 4)])
def test_one_rung_is_the_closed_form(trials: int, eta: int) -> None:
    curves = made(parts=3)
    schedulers = {"sha": {"name": "sha", "reduction_factor": eta, "grace_period": 2}}
    row = rows(curves, schedulers, [trials], repeats=1500).loc[("sha", trials)]
    exact = early_stopping_cdf(curves.scores[:, 1], curves.final, trials, trials // eta)
    assert row["expected_best"] == pytest.approx((exact["score"] * exact["probability"]).sum(), abs=4 * row["error"])
    assert 0 < row["error"] < 0.002
    share = curves.costs[:, 1].sum() / curves.costs[:, 2].sum()  # the same for all units here: two thirds
    assert row["finished"] == trials // eta
    assert share < row["share_of_full"] < 1


@pytest.mark.parametrize(("trials", "keep"), [(9, 3), (7, 1)])
def test_keeping_a_few_is_the_closed_form(trials: int, keep: int) -> None:
    curves = made(parts=3)
    schedulers = {"one": {"name": "one_epoch", "keep": keep, "grace_period": 2}}
    row = rows(curves, schedulers, [trials], repeats=1500).loc[("one", trials)]
    exact = early_stopping_cdf(curves.scores[:, 1], curves.final, trials, keep)
    assert row["expected_best"] == pytest.approx((exact["score"] * exact["probability"]).sum(), abs=4 * row["error"])
    assert row["finished"] == keep


@pytest.mark.parametrize("replace", [True, False])
def test_stopping_nobody_is_the_tuning_curve(replace: bool) -> None:
    curves, trials = made(), [1, 5, 20]
    found = simulate(
        curves, {"fifo": {"name": "fifo"}}, trials, rng=np.random.default_rng(3), repeats=600, workers=3,
        replace=replace, budgets=[1e6],
    )  # fmt: skip
    exact = tuning_curve(curves.final, trials, "biased" if replace else "unbiased")
    assert found.searches["expected_best"].to_numpy() == pytest.approx(exact, abs=1e-12)
    assert found.searches["saved"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert found.searches["cost"].to_numpy() == pytest.approx(np.array(trials) * curves.full_cost.mean())
    simulated = found.best_so_far  # of the draws themselves, without what is known exactly
    assert (np.abs(simulated["expected_best"] - exact) < 4 * simulated["error"]).all()
    assert (simulated["reported"] == 1).all()


def test_everything_drawn_once_leaves_nothing_to_chance_but_the_order() -> None:
    curves = made(units=27)
    row = rows(curves, {"sha": SHA}, [27], repeats=40, replace=False).loc[("sha", 27)]
    left = np.argsort(-curves.scores[:, 0])[:9]
    left = left[np.argsort(-curves.scores[left, 2])][:3]
    assert row["expected_best"] == pytest.approx(curves.final[left].max(), abs=1e-12)
    assert row["error"] == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------------------------- the search


def plain_asha(curves: RecordedCurves, eta=3.0) -> tuple[list[int], float]:
    """One worker: each unit to its end or to the rung that stops it, asking after every part."""
    units, parts = curves.scores.shape
    names = [str(i) for i in range(units)]
    scheduler = build({"name": "asha"}, max_epochs=parts, groups={name: [name] for name in names}, mode="max")
    finished, cost = [], 0.0
    for unit in range(units):
        for part in range(1, parts + 1):
            if part == parts:
                finished.append(unit)
            elif scheduler.decide(names[unit], part, float(curves.scores[unit, part - 1])).action is Action.STOP:
                break
        cost += curves.costs[unit, part - 1]
    return finished, cost


def test_one_worker_under_asha_is_a_plain_loop() -> None:
    curves = made(units=60)
    names = [str(i) for i in range(60)]
    scheduler = build_over_units({"name": "asha"}, units=names, resource=9, mode="max")
    search = run_search(scheduler, names, curves.scores, curves.costs, (1, 3), workers=1)
    finished, cost = plain_asha(curves)
    assert search.finished == finished
    assert search.cost(curves.costs) == pytest.approx(cost)
    assert search.duration(curves.costs) == pytest.approx(cost)


def plain_promotion(curves: RecordedCurves, rungs: tuple[int, ...], eta: float) -> tuple[set[int], float]:
    """One worker: what may be promoted from the highest rung down, else the next unit; then the best of each rung."""
    units, parts = curves.scores.shape
    seen: list[list[int]] = [[] for _ in rungs]
    promoted: list[list[int]] = [[] for _ in rungs]
    finished, new = set(), list(range(units))

    def job() -> tuple[int, int] | None:
        for level in reversed(range(len(rungs))):
            ranked = sorted(seen[level], key=lambda unit: (-curves.scores[unit, rungs[level] - 1], unit))
            for unit in ranked[: int(len(ranked) / eta)]:
                if unit not in promoted[level]:
                    return unit, level
        return (new.pop(0), -1) if new else None

    while True:
        while (found := job()) is not None:
            unit, level = found
            if level >= 0:
                promoted[level].append(unit)
            if level + 1 < len(rungs):
                seen[level + 1].append(unit)
            else:
                finished.add(unit)
        empty = next((level for level in range(len(rungs)) if seen[level] and not promoted[level]), None)
        if empty is None:
            break
        best = max(seen[empty], key=lambda unit: (curves.scores[unit, rungs[empty] - 1], -unit))
        promoted[empty].append(best)
        if empty + 1 < len(rungs):
            seen[empty + 1].append(best)
        else:
            finished.add(best)
    ends = {unit: max(rungs[level] for level in range(len(rungs)) if unit in seen[level]) for unit in range(units)}
    ends |= dict.fromkeys(finished, parts)
    return finished, sum(float(curves.costs[unit, end - 1]) for unit, end in ends.items())


@pytest.mark.parametrize(("units", "eta"), [(60, 3.0), (20, 2.0), (10, 3.0)])
def test_one_worker_under_promotion_is_a_plain_loop(units: int, eta: float) -> None:
    curves = made(units=units)
    names = [str(i) for i in range(units)]
    rungs = tuple(rung for rung in (1, int(eta), int(eta**2), int(eta**3)) if rung < 9)
    section = {"name": "asha_promotion", "reduction_factor": eta}
    scheduler = build_over_units(section, units=names, resource=9, mode="max")
    search = run_search(scheduler, names, curves.scores, curves.costs, rungs, workers=1)
    finished, cost = plain_promotion(curves, rungs, eta)
    assert set(search.finished) == finished
    assert search.cost(curves.costs) == pytest.approx(cost)


def test_two_workers_by_hand() -> None:
    """Costs 1 and 3 per part: at time 1 both have spent 2; the second unit reports at time 3, after 6."""
    scores = np.array([[0.5, 0.6], [0.7, 0.9]])
    costs = np.array([[1.0, 2.0], [3.0, 6.0]])
    scheduler = build_over_units({"name": "fifo"}, units=["a", "b"], resource=2, mode="max")
    search = run_search(scheduler, ["a", "b"], scores, costs, (), workers=2)
    assert search.finished == [0, 1]
    assert search.cost(costs) == 8
    assert search.duration(costs) == 6
    # a reports after 1 and 2 (spent 2 and 4), then ends; b alone reports at 3 and 6 (spent 5 and 8).
    found = search.best_so_far(scores, costs, np.array([1.9, 2, 3.9, 4, 5, 7.9, 8]))
    np.testing.assert_allclose(found, [np.nan, 0.5, 0.5, 0.6, 0.7, 0.7, 0.9])


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(ALL)), st.integers(1, 6), st.integers(9, 20), st.integers(0, 99), st.sampled_from([9, 12])
)
def test_whatever_the_workers_a_search_ends_and_is_paid_for(name, workers, units, seed, parts) -> None:
    curves = made(units=units, seed=seed, parts=parts)
    names = [str(i) for i in range(units)]
    scheduler = build_over_units({"name": name}, units=names, resource=parts, mode="max")
    rungs = sorted({rung.epoch for bracket in scheduler.bracket_plan() for rung in bracket.rungs})
    search = run_search(scheduler, names, curves.scores, curves.costs, rungs, workers)
    reached = [max(until for _, unit, _, until in search.stretches if unit == each) for each in range(units)]
    assert search.finished
    assert sorted(search.finished) == [unit for unit in range(units) if reached[unit] == parts]
    assert search.cost(curves.costs) == pytest.approx(sum(curves.costs[u, r - 1] for u, r in enumerate(reached)))
    spent = np.geomspace(0.1, search.cost(curves.costs), 20)
    line = search.best_so_far(curves.scores, curves.costs, spent)
    seen = line[~np.isnan(line)]
    assert (np.diff(seen) >= 0).all()
    assert line[-1] == max(curves.scores[u, r - 1] for u, r in enumerate(reached))
    if name in {"sha", "hyperband", "fifo", "one_epoch"}:
        other = run_search(
            build_over_units({"name": name}, units=names, resource=parts, mode="max"), names, curves.scores,
            curves.costs, rungs, 1,
        )  # fmt: skip
        assert sorted(other.finished) == sorted(search.finished)


def test_minimising_is_maximising_the_negative() -> None:
    up, down = made(), made(minimize=True)
    one, other = (rows(curves, ALL, [9, 20], repeats=30, workers=3) for curves in (up, down))
    columns = ["cost", "equal_trials", "saved", "finished", "error"]
    np.testing.assert_allclose(one[columns], other[columns], atol=1e-12)
    np.testing.assert_allclose(one["expected_best"], -other["expected_best"])


def test_the_same_seed_gives_the_same_numbers() -> None:
    curves = made()
    pd.testing.assert_frame_equal(rows(curves, ALL, [9], repeats=20), rows(curves, ALL, [9], repeats=20))
    alone = rows(curves, {"sha": SHA}, [9], repeats=20)
    assert alone.loc[("sha", 9), "expected_best"] == rows(curves, ALL, [9], repeats=20).loc[("sha", 9), "expected_best"]


# ------------------------------------------------------------------------------------------------ equal results


def test_the_cost_of_an_equal_result_lies_on_the_line_between_two_numbers_of_runs() -> None:
    full = np.array([[0.5, 10.0], [0.7, 20.0], [0.8, 30.0]])
    found = equal_result(full, 0.75, 0.0, 5.0, 0.0)
    assert (found["equal_trials"], found["equal_cost"]) == (2.5, 25.0)
    assert found["saved"] == found["saved_low"] == found["saved_high"] == pytest.approx(0.8)
    noisy = equal_result(full, 0.75, 0.025, 5.0, 1.0)
    assert (noisy["saved_low"], noisy["saved_high"]) == pytest.approx((1 - 7 / 20, 1 - 3 / 30))
    assert equal_result(-full * [1, -1], -0.75, 0.0, 5.0, 0.0, minimize=True)["equal_trials"] == 2.5
    assert equal_result(full, 0.4, 0.0, 5.0, 0.0)["no_saving"].startswith("one full run")
    assert equal_result(full, 0.9, 0.0, 5.0, 0.0)["no_saving"].endswith("all 3 full runs give")


# ---------------------------------------------------------------------------------------------------------------- seeds


def test_a_part_ends_at_the_first_point_at_or_after_it() -> None:
    points = pd.DataFrame({"run": 1, "resource": [10, 4, 9], "score": [0.3, 0.2, 0.4], "cost": [25.0, 8.0, 20.0]})
    curves = recorded_curves(points, 5)
    np.testing.assert_allclose(curves.costs, [[8, 8, 20, 20, 25]])
    np.testing.assert_allclose(curves.scores, [[0.2, 0.2, 0.4, 0.4, 0.4]])
    np.testing.assert_allclose(recorded_curves(points, 1, best_so_far=False).scores, [[0.3]])
    np.testing.assert_allclose(recorded_curves(points, 1, minimize=True).scores, [[0.2]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": [0.1, np.nan]}, "1 points"),
        ({"cost": [2.0, 1.0]}, "cumulative"),
        ({"resource": [1, 1]}, "resource"),
        ({"resource": [-1, 1]}, "rise from 0"),
    ],
)
def test_what_is_no_curve_is_refused(change, said) -> None:
    points = pd.DataFrame({"run": ["a", "a"], "resource": [1, 2], "score": [0.1, 0.2], "cost": [1.0, 2.0], **change})
    with pytest.raises(ValueError, match=said):
        recorded_curves(points, 3)
    with pytest.raises(ValueError, match="lack the column"):
        recorded_curves(points.drop(columns="run"), 3)


def test_impossible_searches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"41.*40"):
        rows(made(), {"sha": SHA}, [41])
    with pytest.raises(ValueError, match="workers"):
        rows(made(), {"sha": SHA}, [9], workers=0)
    with pytest.raises(InputError, match="sha can"):
        rows(made(), {"sha": SHA}, [2])


def test_a_recorded_sweep_is_a_pool_unless_something_was_stopped() -> None:
    curves = recorded_curves(sweep_points(sweep(configurations=9, seeds=2)), 9)
    assert curves.scores.shape == (9, 9)
    assert curves.seeds == 2
    np.testing.assert_allclose(curves.full_cost, 18)
    found = simulate(
        curves, {**ALL, "seed_racing": {"name": "seed_racing"}}, [9], rng=np.random.default_rng(0), repeats=20
    )
    assert found.searches["expected_best"].notna().all()
    notes = simulation_notes(found, ALL)
    assert "hyperband: of 9 units begun, 9 units judged after 1 and 3 of 9 parts." in notes
    with pytest.raises(ValueError, match=r"2 of 4 trials.*c001-i0-o0, c001-i1-o0"):
        sweep_points(sweep(configurations=2, ends={"c001": ("stopped", 3)}, scheduler="sha"))
    with pytest.raises(ValueError, match="did not finish"):
        sweep_points(sweep(configurations=2, ends={"c001": ("running", 3)}))
    with pytest.raises(ValueError, match="energy_j"):
        sweep_points(sweep(), "energy_j")
